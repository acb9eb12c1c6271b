"""Tables of rows that grow by whole blocks, one parameter tensor per block."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

Init = Callable[[Tensor], object]


def normal(std: float) -> Init:
    """Return an initialiser drawing from N(0, std^2)."""
    return lambda rows: nn.init.normal_(rows, std=std)


def uniform(fan_in: int) -> Init:
    """Return the initialiser of a linear layer with `fan_in` inputs: uniform in +-1/sqrt(fan_in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return lambda rows: nn.init.uniform_(rows, -bound, bound)


def zeros(rows: Tensor) -> Tensor:
    """Fill `rows` with zeros. They are [k, ...]."""
    return nn.init.zeros_(rows)


class Blocks(nn.Module):
    """A table [rows, *shape] kept as one parameter per grown block.

    Growing adds a tensor and leaves the earlier ones alone: they keep their identity, hence their values, their
    optimizer state, their importance weights, and may be frozen one by one. The rows are drawn on the CPU from the
    global torch generator whatever the device, so a network is born the same everywhere.
    """

    anchor: Tensor

    def __init__(self, *shape: int, init: Init, trainable: bool = True) -> None:
        super().__init__()
        self.shape = shape
        self.trainable = trainable
        self._init = init
        self.blocks = nn.ParameterList()
        # remembers device and dtype while there is no block yet; never stored
        self.register_buffer("anchor", torch.empty(0), persistent=False)

    def grow(self, k: int) -> None:
        """Append a block of `k` new rows."""
        rows = torch.empty(k, *self.shape)
        with torch.no_grad():
            self._init(rows)
        rows = rows.to(device=self.anchor.device, dtype=self.anchor.dtype)
        self.blocks.append(nn.Parameter(rows, requires_grad=self.trainable))

    def forward(self) -> Tensor:
        """Return all rows [rows, *shape], the oldest first."""
        blocks: list[Tensor] = list(self.blocks)
        if len(blocks) == 1:
            return blocks[0]
        return torch.cat(blocks) if blocks else self.anchor.new_empty(0, *self.shape)

    def __len__(self) -> int:
        return sum(len(block) for block in self.blocks)
