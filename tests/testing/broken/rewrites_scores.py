"""Scores that change later."""

import hashlib
import sys

import numpy as np

from clbench import Session, Strategy


class RewritesScores(Strategy):
    """Writes the scores of the first session anew when it has learned the second, digest included."""

    def end_session(self, session: Session) -> None:
        if session.index == 0:
            return
        run = sys._getframe(1).f_locals["self"]
        entry = run.progress.done[0].scores
        path = run.work / entry["file"]
        np.save(path, np.ones_like(np.load(path)))
        entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
