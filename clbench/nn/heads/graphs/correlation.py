"""How often labels go together: the graph of AGCN, as it grows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def conditional(present: csr_array, believed: Iterable[Tensor], before: Tensor, *, half: bool = False) -> Tensor:
    """Return M [C, C] with M_ij = P(i | j) after a session (AGCN, ICME 2022, equations 2-5).

    `present` [n, new] holds a 1 for each new label of an image. `believed` are the previous network's probabilities
    in batches [b, old], n in all, or nothing. `before` [old, old] is the matrix of before, which is kept. P(old i |
    new j) is the mean belief in i over images with j, P(new j | old i) follows from it by Bayes, halved with `half` as
    in the release. A label without images has zeros. Sums over images, so it is the same in any order and any batches.
    """
    old, new = before.shape[0], present.shape[1]
    across, mass, first = np.zeros((new, old)), np.zeros(old), 0
    for batch in believed:
        beliefs = batch.double().numpy()
        across += present[first : first + len(beliefs)].T @ beliefs
        mass += beliefs.sum(axis=0)
        first += len(beliefs)
    images = present.sum(axis=0).clip(min=1.0)
    found = torch.zeros(old + new, old + new, dtype=before.dtype)
    found[:old, :old] = before
    found[:old, old:] = torch.from_numpy(across.T / images)
    found[old:, :old] = torch.from_numpy(across / mass.clip(min=1e-12) * (0.5 if half else 1.0))
    found[old:, old:] = torch.from_numpy((present.T @ present).toarray() / images)
    return found.fill_diagonal_(0.0)


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
