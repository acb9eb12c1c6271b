"""Scores that change when the record is made."""

import hashlib
import sys

import numpy as np

from clbench import Strategy


class RewritesScoresLast(Strategy):
    """Writes the scores of the first session anew when it is asked for its notes, digest included."""

    def notes(self) -> dict[str, str]:
        frame = sys._getframe(1)
        while frame is not None and "self" not in frame.f_locals:
            frame = frame.f_back
        run = frame.f_locals["self"] if frame is not None else None
        done = getattr(getattr(run, "progress", None), "done", [])
        if len(done) == 3:
            entry = done[0].scores
            path = run.work / entry["file"]
            np.save(path, np.ones_like(np.load(path)))
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        return {}
