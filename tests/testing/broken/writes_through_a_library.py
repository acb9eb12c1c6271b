"""A file that Python never opens."""

import tempfile

import torch

from clbench import Session, Strategy


class WritesThroughALibrary(Strategy):
    """Has torch write a file elsewhere, which it does in C++."""

    def end_session(self, session: Session) -> None:
        torch.save({"session": session.index}, f"{tempfile.gettempdir()}/clbench-written-by-torch.pt")
