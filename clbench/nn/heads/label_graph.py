"""A graph between the labels of one image, built from what the image shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError

Normalise = Literal["symmetric", "row"]
"""How the adjacency is divided by its degrees."""


class WeightedCosine(nn.Module):
    """Similarity of label nodes under several weightings of their channels.

    A_ij = 1/m sum over k of cos(w_k * v_i, w_k * v_j); symmetric, positive semidefinite, diagonal 1. Only squares of
    the weights matter, so they start positive. Confirmed by the abstract of MMDSR (Machine Learning, 2024): a multi-
    perspective weighted cosine. Reconstructed: that it is the one of IDGL (Chen et al., NeurIPS 2020).
    """

    def __init__(self, d: int, *, perspectives: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(perspectives, d))
        nn.init.xavier_uniform_(self.weight)
        with torch.no_grad():
            self.weight.abs_()

    def directions(self, nodes: Tensor) -> Tensor:
        """Return what `between` compares, [..., M, m * d]: the weighted nodes, each perspective of unit length."""
        weighted = nodes.unsqueeze(-2) * self.weight
        return functional.normalize(weighted, dim=-1).flatten(-2)

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Return the similarities [..., R, C] of two sets of `directions`."""
        return rows @ columns.transpose(-1, -2) / len(self.weight)

    def forward(self, nodes: Tensor) -> Tensor:
        """Return the similarities [..., M, M] of nodes [..., M, d]; a node of zeros is like nothing."""
        directions = self.directions(nodes)
        return self.between(directions, directions)


class LabelGraph(nn.Module):
    """Messages between labels along their similarities: Z = V + H with H = LeakyReLU(A V Theta), layer by layer.

    Confirmed by the abstract of MMDSR (Machine Learning, 2024): a graph per image in place of a static one.
    Reconstructed: that it is a graph convolution, and its form.

    Similarities up to `epsilon` are no edges; A is divided by its degrees, symmetrically or by row. `blocks` says how
    many labels came when: a label hears those of its own and of earlier blocks and none that came later, so what
    arrives never changes what is there, to the last bit. One block of all labels is the whole graph.
    """

    def __init__(
        self,
        d: int,
        *,
        perspectives: int = 4,
        layers: int = 1,
        epsilon: float = 0.0,
        normalise: Normalise = "symmetric",
    ) -> None:
        super().__init__()
        if perspectives < 1 or layers < 1 or not epsilon < 1:
            raise UsageError(
                f"head_options: perspectives is {perspectives}, layers {layers}, epsilon {epsilon};"
                " expected perspectives >= 1, layers >= 1, epsilon < 1.",
                hint="Use for instance perspectives=4 layers=1 epsilon=0.",
            )
        self.epsilon = epsilon
        self.normalise = normalise
        self.cosine = WeightedCosine(d, perspectives=perspectives)
        self.layers = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in range(layers))

    def edges(self, nodes: Tensor, *, blocks: Sequence[int]) -> list[Tensor]:
        """Return the normalised edges of each block: [B, labels of the block, labels up to its end]."""
        directions = self.cosine.directions(nodes)
        rows, degrees, first = [], [], 0
        for k in blocks:
            last = first + k
            similarity = self.cosine.between(directions[:, first:last], directions[:, :last])
            row = torch.where(similarity > self.epsilon, similarity, torch.zeros_like(similarity))
            # a threshold below 0 keeps negative edges, which may cancel the positive ones
            degrees.append(row.sum(-1).clamp(min=1e-6))
            rows.append(row)
            first = last
        if self.normalise == "row":
            return [row / degree.unsqueeze(-1) for row, degree in zip(rows, degrees, strict=True)]
        scale = torch.cat(degrees, dim=1).rsqrt()
        return [
            row * degree.rsqrt().unsqueeze(-1) * scale[:, None, : row.shape[2]]
            for row, degree in zip(rows, degrees, strict=True)
        ]

    def adjacency(self, nodes: Tensor, *, blocks: Sequence[int]) -> Tensor:
        """Return the edges as one matrix [B, M, M]: row i holds what label i hears."""
        edges = self.edges(nodes, blocks=blocks)
        labels = sum(blocks)
        return torch.cat([functional.pad(row, (0, labels - row.shape[2])) for row in edges], dim=1)

    def forward(self, nodes: Tensor, *, blocks: Sequence[int]) -> Tensor:
        """Return the nodes [B, M, d] with what they heard."""
        edges = self.edges(nodes, blocks=blocks)
        heard = nodes
        for layer in self.layers:
            # block by block: a matrix product may round a row differently when rows are added
            said = torch.cat([layer(part) for part in torch.split(heard, list(blocks), dim=1)], dim=1)
            heard = torch.cat([functional.leaky_relu(row @ said[:, : row.shape[2]], 0.2) for row in edges], dim=1)
        return nodes + heard
