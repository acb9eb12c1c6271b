"""More draws than it tells."""

import numpy as np

from clbench import Batch, Exemplars, Replay


class DrawsTwice(Replay):
    """Sets everything it holds beside every batch five times over."""

    beside = True

    def recall(self, batch: Batch) -> Exemplars:
        held = self.buffer.exemplars()
        return held.take(np.tile(np.arange(len(held)), 5))
