"""Prompts that are sums of components, weighted by how near an image is to the key of each (CODA-Prompt)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.prompts.network import Chosen, Prompts


def orthonormal_rows(rows: int, *, earlier: Tensor, legacy_gram_schmidt: bool = False) -> Tensor:
    """Return `rows` new unit rows, orthogonal to each other and to all `earlier` rows [n, D].

    Drawn from the global torch generator. Where the earlier rows leave less room than that, the new ones are orthogonal
    to each other alone. `legacy_gram_schmidt` subtracts projections on earlier rows one by one, as the release does,
    which is right only as long as those are orthogonal.
    """
    room = earlier.shape[1] - len(earlier)
    drawn = torch.randn(rows, earlier.shape[1], dtype=torch.float64)
    if legacy_gram_schmidt:
        rows_so_far = list(earlier.double())
        for row in drawn:
            shadow = sum(((row @ one) / (one @ one) * one for one in rows_so_far), torch.zeros_like(row))
            rows_so_far.append(row - shadow)
        return functional.normalize(torch.stack(rows_so_far[len(earlier) :]), dim=1).to(earlier.dtype)
    if len(earlier) and room >= rows:
        basis = torch.linalg.qr(earlier.double().T).Q
        for _ in range(2):  # once more, since the first subtraction leaves its rounding
            drawn = drawn - (drawn @ basis) @ basis.T
    new: Tensor = torch.linalg.qr(drawn.T).Q.T.to(earlier.dtype)
    return new


def orthogonality(rows: Tensor) -> Tensor:
    """Return the mean of the squared entries of R R^T - I. R is [n, D]."""
    apart: Tensor = rows @ rows.T - torch.eye(len(rows), device=rows.device)
    return apart.square().mean()


class Components(Prompts):
    """For each block components P [length, D] with keys K and attention vectors A [D], `count` of them a session.

    The prompt is sum_k alpha_k P_k, alpha_k = cos(q * A_k, K_k); its first half are keys, its second half values. A
    session trains the newest components beside all earlier ones, which stand still.
    """

    def __init__(
        self,
        *,
        width: int,
        blocks: Sequence[int],
        count: int,
        length: int,
        zero_start: bool = False,
        legacy_gram_schmidt: bool = False,
    ) -> None:
        super().__init__()
        self._blocks = list(blocks)
        self.count = count
        self.zero_start = zero_start
        self.legacy_gram_schmidt = legacy_gram_schmidt
        self.shape = (length, width)
        self.prompts = nn.ParameterList()
        self.keys = nn.ParameterList()
        self.attention = nn.ParameterList()

    def blocks(self) -> list[int]:
        """Return the blocks that get a prefix."""
        return self._blocks

    def grow(self) -> None:
        """Add the components of a new session: rows orthonormal to all earlier ones, P flattened or zero."""
        length, width = self.shape
        for kept, size in ((self.prompts, length * width), (self.keys, width), (self.attention, width)):
            rows = [self._new(kept, place, size=size) for place in range(len(self._blocks))]
            new = torch.stack(rows)
            if kept is self.prompts:
                new = new.reshape(len(rows), self.count, *self.shape)
                new = torch.zeros_like(new) if self.zero_start else new
            kept.requires_grad_(False)
            kept.append(nn.Parameter(new.to(kept[0].device) if len(kept) else new))

    def _new(self, kept: nn.ParameterList, place: int, *, size: int) -> Tensor:
        before = [part[place].detach().cpu().flatten(1) for part in kept]
        earlier = torch.cat(before) if before else torch.empty(0, size)
        return orthonormal_rows(self.count, earlier=earlier, legacy_gram_schmidt=self.legacy_gram_schmidt)

    def forward(self, query: Tensor) -> Chosen:
        """Return the prefixes of every image. `query` is [B, D]."""
        prompts, keys, attention = (torch.cat(list(kept), dim=1) for kept in (self.prompts, self.keys, self.attention))
        prefixes = {}
        for i, block in enumerate(self._blocks):
            alpha = weights(query, attention=attention[i], keys=keys[i])
            prompt = torch.einsum("bk,kld->bld", alpha, prompts[i])
            prefixes[block] = prompt.reshape(len(query), 2, -1, self.shape[1])
        return Chosen(prefixes)

    def orthogonality(self) -> Tensor:
        """Return the sum over blocks of how far K, A and flattened P are from orthonormal rows. It is a scalar."""
        tables = [torch.cat(list(kept), dim=1).flatten(2) for kept in (self.prompts, self.keys, self.attention)]
        return torch.stack([orthogonality(rows) for table in tables for rows in table]).sum()


def weights(query: Tensor, *, attention: Tensor, keys: Tensor) -> Tensor:
    """Return alpha [B, K] = cos(q * A_k, K_k) of queries [B, D]; `attention` and `keys` are [K, D]."""
    product = query @ (attention * keys).T
    length = (query.square() @ attention.square().T).sqrt() * keys.norm(dim=1)
    alpha: Tensor = product / length.clamp(min=1e-12)
    return alpha
