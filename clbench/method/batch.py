"""What a loss sees: one batch of images and targets."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass


@dataclasses.dataclass
class Batch:
    """What a strategy sees of one mini-batch.

    `images` uint8 [B, 3, H, W] on the device, `targets` float [B, seen] in {0, 1, NaN} where NaN is unknown, `rows`
    int64 [B] (who the images are), `replayed` bool [B] (which came from the memory) and `logits` float [B, seen], the
    stored logits of replayed images, NaN where none were stored, or None when no memory keeps logits.

    >>> batch = clbench.Batch(
    ...     images=torch.zeros(2, 3, 32, 32, dtype=torch.uint8),
    ...     targets=torch.tensor([[1.0, torch.nan], [0.0, 1.0]]),
    ...     rows=torch.tensor([4, 9]),
    ...     replayed=torch.tensor([False, True]),
    ... )
    >>> batch.known.tolist()
    [[True, False], [True, True]]
    """

    images: Tensor
    targets: Tensor
    rows: Tensor
    replayed: Tensor
    logits: Tensor | None = None

    @property
    def known(self) -> Tensor:
        """Bool [B, seen]: where the label is known."""
        return ~torch.isnan(self.targets)
