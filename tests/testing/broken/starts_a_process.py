"""A file written by somebody else."""

import os
import subprocess

from clbench import Session, Strategy


class StartsAProcess(Strategy):
    """Has a process of its own write a file."""

    def end_session(self, session: Session) -> None:
        subprocess.run(["sh", "-c", f"echo {session.index} > {os.devnull}"], check=False)
