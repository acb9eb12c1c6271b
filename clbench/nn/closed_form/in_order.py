"""Sums over a session whose bits do not depend on how many processes shared the work."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, distributed

from clbench.nn.closed_form.ridge import BlockSums, RidgeSums
from clbench.nn.shared.ranks import rank, world


class SumsInOrder:
    """Sums of the parts of a session (`LiveSession.parts`), added up in the order of the parts.

    Floating-point sums depend on their order, so that two processes and three would end with other weights. Here each
    part is summed up by one process alone, batch by batch, from zero: part p by process p mod `world`. After each round
    all processes add the parts of that round in their order, (((0 + part 0) + part 1) + part 2) + ..., and hold the
    same bits, whatever their number. A process holds a part, one that it receives, and the total.

    >>> kept = BlockSums(1)
    >>> sums = SumsInOrder(kept, [1])
    >>> for value in (1.0, 2.0):  # two parts of one image each
    ...     sums.add(torch.tensor([[value]]), torch.tensor([[1.0]]))
    ...     sums.end_part()
    >>> sums.into(kept)
    [0]
    >>> kept.parts[0].gram.item(), kept.parts[0].cross.item()
    (5.0, 3.0)
    """

    def __init__(self, kept: BlockSums, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self._like = kept
        self.total = kept.fresh(sizes)
        self.part = kept.fresh(sizes)

    def add(self, phi: Tensor, targets: Tensor, *, weight: Tensor | None = None) -> None:
        """Add images of the part: features [n, H], targets [n, L] with NaN for unknown, perhaps a weight [n]."""
        self.part.add(phi, targets, weight=weight)

    def end_part(self) -> None:
        """Add what all processes have of this round. Every one of them calls it as often, with images or without."""
        for process in range(world()):
            for total, own in zip(self.total.parts, self.part.parts, strict=True):
                _add(total, own if process == rank() else _received(own), process=process)
        self.part = self._like.fresh(self.sizes)

    def into(self, kept: BlockSums) -> list[int]:
        """Add the total to `kept`; return the blocks that images were added to: the others' weights stay to the bit."""
        for old, new in zip(kept.parts, self.total.parts, strict=True):
            old.merge(new)
        return [i for i, new in enumerate(self.total.parts) if new.images]


def _received(like: RidgeSums) -> RidgeSums:
    room = RidgeSums(0, dtype=like.gram.dtype)
    room.gram, room.cross = torch.empty_like(like.gram), torch.empty_like(like.cross)
    return room


def _add(total: RidgeSums, part: RidgeSums, *, process: int) -> None:
    """Add what `process` holds in `part`, on all processes; nothing where it has no images."""
    if world() > 1:
        count = torch.tensor([part.images])
        distributed.broadcast(count, src=process)
        part.images = int(count)
    if not part.images:
        return
    if world() > 1:
        for sums in (part.gram, part.cross):
            distributed.broadcast(sums, src=process)
    total.merge(part)
