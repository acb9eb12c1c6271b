"""The global batch of a step: images of the session, images set beside them, and this rank's part of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clbench.method.batch import Batch
from clbench.nn.exemplars import Exemplars
from clbench.nn.losses import as_targets
from clbench.nn.shared.ranks import rank, world
from clbench.ranks.together import gathered


@dataclass(frozen=True)
class Parts:
    """How many images of a global batch come from the session's view, and how many from a memory are set beside them.

    Of each of the two, rank r holds images r, r + world, ...
    """

    fresh: int
    beside: int = 0

    @property
    def images(self) -> int:
        """All images of the global batch."""
        return self.fresh + self.beside

    def whole(self, values: Tensor) -> Tensor:
        """Return the rows of all ranks, first those of the view, then those set beside it, in global order.

        `values` is [b, ...], the result [B, ...].
        """
        if world() == 1:
            return values
        own = len(range(rank(), self.fresh, world()))
        parts = [gathered(values[:own], total=self.fresh)]
        if self.beside:
            parts.append(gathered(values[own:], total=self.beside))
        return torch.cat(parts)

    def whole_batch(self, batch: Batch) -> Batch:
        """Return the global batch, which memories look at; its images stay those of this rank."""
        if world() == 1:
            return batch
        return Batch(
            images=batch.images,
            targets=self.whole(batch.targets),
            rows=self.whole(batch.rows.to(batch.targets.device)).cpu(),
            replayed=self.whole(batch.replayed.to(torch.uint8)).bool(),
            logits=None if batch.logits is None else self.whole(batch.logits),
        )


def own_part(recalled: Exemplars) -> Exemplars:
    """Return this rank's part of what is set beside a global batch. [M, width] becomes [m, width]."""
    return recalled.take(np.arange(rank(), len(recalled.rows), world()))


def set_beside(batch: Batch, y: Tensor, recalled: Exemplars, *, images: Tensor) -> tuple[Batch, Tensor]:
    """Return the batch, and its int8 labels `y`, followed by exemplars, whose pictures are `images` on the device.

    `y` is [B, seen], `images` uint8 [m, 3, S, S].
    """
    device, width = y.device, y.shape[1]
    stored = torch.full((len(recalled.rows), width), -1, dtype=torch.int8)
    stored[:, : recalled.targets.shape[1]] = torch.as_tensor(recalled.targets)
    logits = None
    if recalled.logits is not None or batch.logits is not None:
        kept = torch.full((len(stored), width), float("nan"))
        if recalled.logits is not None:
            kept[:, : recalled.logits.shape[1]] = torch.as_tensor(recalled.logits)
        unstored = torch.full((len(batch.rows), width), float("nan"), device=device)
        logits = torch.cat([unstored if batch.logits is None else batch.logits, kept.to(device)])
    y = torch.cat([y, stored.to(device)])
    merged = Batch(
        images=torch.cat([batch.images, images]),
        targets=as_targets(y),
        rows=torch.cat([batch.rows, torch.as_tensor(recalled.rows)]),
        replayed=torch.cat([batch.replayed, torch.ones(len(stored), dtype=torch.bool, device=device)]),
        logits=logits,
    )
    return merged, y
