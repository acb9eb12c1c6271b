"""A process that no hook of Python hears of."""

import os
from multiprocessing.util import spawnv_passfds  # type: ignore[attr-defined]

from clbench import Session, Strategy


class StartsAProcessUnheard(Strategy):
    """Starts a program as multiprocessing does where processes are spawned."""

    def end_session(self, session: Session) -> None:
        os.waitpid(spawnv_passfds(b"/bin/sh", [b"sh", b"-c", b":"], []), 0)
