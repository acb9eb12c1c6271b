"""Scores that depend on the batch where it is neither small nor large."""

from torch import Tensor

from clbench import Strategy


class RanksInMiddlingBatch(Strategy):
    """Centres the logits over the images asked together, where there are twenty to sixty."""

    def logits(self, images: Tensor) -> Tensor:
        logits = super().logits(images)
        return logits - logits.mean(dim=0) if 20 < len(images) < 60 else logits
