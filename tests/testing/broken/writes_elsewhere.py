"""A file in the folder for temporary files."""

import tempfile
from pathlib import Path

from clbench import Session, Strategy


class WritesElsewhere(Strategy):
    """Writes a file far from its run, and takes it away again."""

    def end_session(self, session: Session) -> None:
        path = Path(tempfile.gettempdir()) / "clbench-written-elsewhere.txt"
        path.write_text(str(session.index))
        path.unlink()
