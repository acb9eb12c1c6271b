"""A head on random features whose weights are solved for."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.base import Head
from clbench.nn.heads.growing_blocks import Blocks, uniform, zeros
from clbench.nn.heads.pooled import LinearHead, MaxPoolHead

POOLED: dict[str, type[LinearHead]] = {"linear": LinearHead, "maxpool": MaxPoolHead}
"""The heads whose pooling a closed form can stand on: all labels share one feature, hence one Gram matrix."""


class RidgeHead(LinearHead):
    """Pooling, relu(R h) with a fixed random R, and weights that somebody solves for; its values lie around 0 and 1.

    The logit is 4 (s - 1/2), so that a probability of one half means s = 1/2 and no order changes. Clipping s to
    [0, 1] would tie images. `trained` gives it a linear classifier of its own, for a base session that trains the
    backbone; it answers until the first weights are solved for.
    """

    solved: Tensor
    scale: float = 4.0
    offset: float = 0.5

    def __init__(self, *, width: int, projection: Tensor | None, pooling: str, trained: bool) -> None:
        Head.__init__(self, width=width)
        self._pooling = POOLED[pooling]
        self.projection = None if projection is None else nn.Parameter(projection, requires_grad=False)
        self.hidden = width if projection is None else len(projection)
        self.weight = Blocks(self.hidden, init=zeros, trainable=False)
        self.base = nn.ModuleList([Blocks(width, init=uniform(width)), Blocks(init=uniform(width))] if trained else [])
        self.register_buffer("solved", torch.tensor(False))

    def pool(self, features: Tensor) -> Tensor:
        """Return the image feature [B, width]."""
        return self._pooling.pool(self, features)

    def expanded(self, features: Tensor) -> Tensor:
        """Return phi [B, hidden]."""
        pooled = self.pool(features).float()
        return pooled if self.projection is None else functional.linear(pooled, self.projection).relu()

    def values(self, features: Tensor) -> Tensor:
        """Return the regression's values [B, seen]."""
        phi = self.expanded(features)
        # block by block: a product may round otherwise when columns are added
        return torch.cat([functional.linear(phi, block) for block in self.weight.blocks], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, seen]."""
        if len(self.base) and not self.solved:
            return functional.linear(self.pool(features), self.base[0](), self.base[1]())
        return self.scale * (self.values(features) - self.offset)

    def label_features(self, features: Tensor) -> Tensor:
        """Return the feature shared by all labels, [B, 1, d]."""
        if len(self.base) and not self.solved:
            return self.pool(features).unsqueeze(1)
        return self.expanded(features).unsqueeze(1)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return the rows that meet `label_features`."""
        if len(self.base) and not self.solved:
            return self.base[0](), self.base[1]()
        rows: Tensor = self.weight()
        return self.scale * rows, rows.new_full((len(rows),), -self.scale * self.offset)

    def end_base(self) -> None:
        """Drop the classifier that was trained."""
        self.base = nn.ModuleList()

    def slices(self) -> list[slice]:
        """Return the columns of each block of labels."""
        ends = torch.tensor([0, *(len(block) for block in self.weight.blocks)]).cumsum(0).tolist()
        return [slice(first, last) for first, last in pairwise(ends)]

    @torch.no_grad()
    def set_weights(self, solved: Tensor, *, block: int | None = None) -> None:
        """Take weights [hidden, L] of one block of labels, or of all."""
        wanted = list(self.weight.blocks) if block is None else [self.weight.blocks[block]]
        for rows, columns in zip(wanted, torch.split(solved, [len(rows) for rows in wanted], dim=1), strict=True):
            rows.copy_(columns.T)
        self.solved.fill_(True)


def check_recipe(*, ema: float, trained: bool) -> None:
    """Raise UsageError where scores would come from another backbone than the sums were made with."""
    if trained and ema:
        raise UsageError(
            f"train.ema is {ema}: scores of averaged weights do not fit sums over features of the last weights.",
            hint="Use train.ema=0, or base=given.",
        )


def random_features(width: int, *, hidden: int, draw: Literal["uniform", "normal"], seed: int) -> Tensor | None:
    """Return R [hidden, width]: uniform in +-1/sqrt(width) (ACIL, L3A) or standard normal (RanPAC); None for hidden 0.

    The two differ in scale, so gamma = g of the one is 3 width g of the other. Raises UsageError for a negative
    `hidden`.
    """
    if hidden < 0:
        raise UsageError(f"hidden is {hidden}, expected a number of random features, or 0 for the features themselves.")
    if hidden == 0:
        return None
    source = torch.Generator().manual_seed(seed)
    if draw == "normal":
        return torch.randn(hidden, width, generator=source)
    return torch.empty(hidden, width).uniform_(-1, 1, generator=source) / math.sqrt(width)
