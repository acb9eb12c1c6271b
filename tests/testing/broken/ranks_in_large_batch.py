"""Scores that depend on the batch where it is large."""

import torch
from torch import Tensor

from clbench import Strategy


class RanksInLargeBatch(Strategy):
    """Centres the logits over the images asked together, where there are more than sixty."""

    def scores(self, images: Tensor) -> Tensor:
        logits = self.net(images)
        return torch.sigmoid(logits - logits.mean(dim=0) if len(images) > 60 else logits)
