"""An end without a word."""

import os

from clbench import Session, Strategy


class EndsItsProcess(Strategy):
    """Ends the process as if all were well."""

    def end_session(self, session: Session) -> None:
        os._exit(0)
