"""A file that a child process writes, which no hook of Python hears of."""

import ctypes
import os

from clbench import Session, Strategy


class WritesInAChild(Strategy):
    """Forks by the C library; the child makes a file elsewhere, whether it may or not, and is never waited for."""

    def end_session(self, session: Session) -> None:
        library = ctypes.CDLL(None)
        library.signal(17, ctypes.c_void_p(1))  # children that nobody waits for leave no trace
        if not library.fork():
            library.creat(b"/tmp/clbench-written-in-a-child", 0o600)
            os._exit(0)
