"""A square matrix over labels that grows by new rows and new columns."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class GrowingMatrix(nn.Module):
    """A learned matrix [C, C]; growing adds tensors and leaves the cells that are there alone.

    New rows are drawn from U(-1/sqrt(C), 1/sqrt(C)) as torch draws a 1x1 convolution's. Without `old_sees_new` the
    cells of old rows in new columns do not exist and are 0.
    """

    anchor: Tensor

    def __init__(self, *, old_sees_new: bool = True) -> None:
        super().__init__()
        self.old_sees_new = old_sees_new
        self.rows, self.columns = nn.ParameterList(), nn.ParameterList()
        self.register_buffer("anchor", torch.empty(0), persistent=False)

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows)

    def grow(self, k: int) -> None:
        """Append `k` labels."""
        old, seen = len(self), len(self) + k
        shapes = [(self.rows, (k, seen))] + ([(self.columns, (old, k))] if old and self.old_sees_new else [])
        for parts, shape in shapes:
            cells = torch.empty(shape).uniform_(-1 / math.sqrt(seen), 1 / math.sqrt(seen))
            parts.append(nn.Parameter(cells.to(self.anchor)))

    def forward(self) -> Tensor:
        """Return the matrix [C, C]."""
        whole: Tensor = self.rows[0]
        for i, rows in enumerate(list(self.rows)[1:]):
            right = self.columns[i] if self.old_sees_new else whole.new_zeros(len(whole), len(rows))
            whole = torch.cat([torch.cat([whole, right], dim=1), rows])
        return whole
