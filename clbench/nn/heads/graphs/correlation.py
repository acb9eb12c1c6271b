"""How often labels go together: the graph of AGCN, as it grows."""

from __future__ import annotations

import torch
from torch import Tensor


def conditional(present: Tensor, believed: Tensor, before: Tensor, *, half: bool = False) -> Tensor:
    """Return M [C, C] with M_ij = P(i | j) after a session (AGCN, ICME 2022, equations 2-5).

    `present` [n, new] in {0, 1} are the session's labels, `believed` [n, old] the previous network's probabilities and
    `before` [old, old] the matrix of before, which is kept. P(old i | new j) is the mean belief in i over images with
    j, P(new j | old i) follows from it by Bayes, halved with `half` as in the release. A label without images has
    zeros. Sums over images, so it is the same in any order and any batches.
    """
    present, believed = present.double(), believed.double()
    old = before.shape[0]
    together = torch.cat([believed, present], dim=1).T @ torch.cat([believed, present], dim=1)
    mass = torch.cat([believed, present], dim=1).sum(0)
    found = together / mass.clamp(min=1e-12)
    found[old:, :old] *= 0.5 if half else 1.0
    found[:old, :old] = before.double()
    found.fill_diagonal_(0.0)
    return found.to(before.dtype)


def adjacency(matrix: Tensor, *, new: int, threshold: float = 0.4, cross: float = 0.3, scale: float = 0.25) -> Tensor:
    """Return the normalised graph [C, C] of conditional probabilities, row i what label i hears.

    Binarised at `threshold`, between the `new` last labels and the others at `cross`; columns scaled to sum to `scale`;
    then the identity, and D^-1/2 A^T D^-1/2.
    """
    edges = matrix > threshold
    old = len(matrix) - new
    edges[old:, :old], edges[:old, old:] = matrix[old:, :old] > cross, matrix[:old, old:] > cross
    a = edges.to(matrix.dtype).fill_diagonal_(0.0)
    a = a / a.sum(0).clamp(min=1.0) * scale
    a = a + torch.eye(len(a), dtype=a.dtype, device=a.device)
    root = a.sum(1).rsqrt()
    return root[:, None] * a.T * root
