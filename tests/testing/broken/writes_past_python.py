"""A file that the C library writes, and a strategy to which a refusal is nothing."""

import ctypes
import os

from clbench import Session, Strategy


class WritesPastPython(Strategy):
    """Makes a file elsewhere by a call of the C library and does not look whether that went well."""

    def end_session(self, session: Session) -> None:
        library = ctypes.CDLL(None)
        file = library.open(b"/tmp/clbench-written-past-python", os.O_CREAT | os.O_WRONLY, 0o600)
        library.write(file, b"%d" % session.index, 1)
        library.close(file)
