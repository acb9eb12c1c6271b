"""Classifier rows that a graph network makes of label vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.heads.base import Head
from clbench.nn.heads.growing_blocks import Blocks, normal
from clbench.nn.heads.pooled import LinearHead
from clbench.seeds import generator


class GCNHead(LinearHead):
    """Two graph layers turn a vector per label into its classifier row; all labels share the pooled feature.

    G = A LeakyReLU(A E W1) W2 and logits = h . G (ML-GCN, Chen et al., CVPR 2019, section 3.2, as AGCN uses it). The
    vectors E are fixed. Without a graph (`set_graph`) A is the identity: a perceptron on label vectors, under which
    labels do not look at each other.

    Options: `vectors` numbers per label vector; `hidden` width between the layers.
    """

    adjacency: Tensor

    def __init__(self, *, width: int, vectors: int = 300, hidden: int = 1024) -> None:
        Head.__init__(self, width=width)
        self.entangled = True
        self.vectors = Blocks(vectors, init=normal(1.0), trainable=False)
        self.first = nn.Linear(vectors, hidden, bias=False)
        self.second = nn.Linear(hidden, width, bias=False)
        self.register_buffer("adjacency", torch.zeros(0, 0))

    def grow(self, k: int) -> None:
        """Add `k` labels without an edge."""
        super().grow(k)
        old = self.adjacency
        self.adjacency = torch.eye(self.seen, dtype=old.dtype, device=old.device)
        self.adjacency[: len(old), : len(old)] = old

    def set_graph(self, adjacency: Tensor) -> None:
        """Take the normalised graph [seen, seen]; row i holds what label i hears."""
        self.adjacency.copy_(adjacency)

    @property
    def rows(self) -> Tensor:
        """The classifier rows G [seen, width]."""
        heard = self.adjacency @ self.first(self.vectors() / self.vectors.shape[0] ** 0.5)
        found: Tensor = self.adjacency @ self.second(functional.leaky_relu(heard, 0.2))
        return found

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, width], zero bias [seen])."""
        rows = self.rows
        return rows, rows.new_zeros(len(rows))


def label_vectors(labels: Sequence[str], *, width: int) -> Tensor:
    """Return a random vector per label [L, width], a function of its name alone: the order of labels moves none."""
    return torch.from_numpy(
        np.stack([generator("label vector", name).standard_normal(width) for name in labels])
    ).float()
