"""Labels that hear each other over a learned graph and one made for the image."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import tokens
from clbench.nn.heads.graphs.growing_matrix import GrowingMatrix
from clbench.nn.heads.growing_blocks import Blocks, uniform


class CIGCNHead(LabelwiseHead):
    """The largest response of each label's activation map, averaged with a graph network over the labels' nodes.

    CI-GCN of CSC (ECCV 2024): a map of activations gives branch 1, its maximum over positions, and the attention that
    pools a node per label; the nodes pass a learned graph and then a sigmoid graph made from the image; branch 2 reads
    each label's node. The logit is the mean of both.

    Options: `d` width of a node, 0 for half of the map's; `old_sees_new` False keeps what arrives out of what is there:
    then old logits do not move at growth. Deviations: growth works, which the release lacks; a layer norm in place of
    the batch norm, which cannot take one image.
    """

    def __init__(self, *, width: int, d: int = 0, old_sees_new: bool = True) -> None:
        super().__init__(width=width)
        d = d or max(width // 2, 1)
        self.entangled = old_sees_new
        self.sizes: list[int] = []
        self.node = nn.Linear(width, d)
        self.general = GrowingMatrix(old_sees_new=old_sees_new)
        self.first, self.second = nn.Linear(d, d), nn.Linear(d, d)
        self.context, self.context_norm = nn.Linear(d, d), nn.LayerNorm(d)
        self.cam = Blocks(width, init=uniform(width))
        self.relation, self.relation_bias = Blocks(2 * d, init=uniform(2 * d)), Blocks(init=uniform(2 * d))
        self.weight, self.bias = Blocks(d, init=uniform(d)), Blocks(init=uniform(d))

    def grow(self, k: int) -> None:
        """Add `k` labels to every table and to the graph."""
        super().grow(k)
        self.general.grow(k)
        self.sizes.append(k)

    def _blocks(self) -> list[tuple[int, int, int]]:
        """Return (first, last, heard) columns of each group of labels that hear the same labels."""
        if self.entangled:
            return [(0, self.seen, self.seen)]
        ends = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        return [(first, last, last) for first, last in itertools.pairwise(ends)]

    def responses(self, x: Tensor) -> Tensor:
        """Return the activations of positions x [B, N, width]: [B, seen, N]."""
        return torch.cat([functional.linear(x, block) for block in self.cam.blocks], dim=2).transpose(1, 2)

    def nodes(self, x: Tensor, responses: Tensor) -> Tensor:
        """Return V0 [B, seen, d]: each label's mean over positions, weighted by where it responds."""
        projected = self.node(x)
        parts = torch.split(responses.float().softmax(-1).to(x.dtype), self.sizes, dim=1)
        return torch.cat([part @ projected for part in parts], dim=1)

    def passed_on(self, nodes: Tensor) -> Tensor:
        """Return V2 [B, seen, d]: what the nodes heard over both graphs."""
        cells, relation, bias = self.general(), self.relation(), self.relation_bias()
        heard = []
        for first, last, all_heard in self._blocks():
            message = functional.leaky_relu(cells[first:last, :all_heard].to(nodes.dtype) @ nodes[:, :all_heard], 0.2)
            heard.append(nodes[:, first:last] + functional.leaky_relu(self.first(message), 0.2))
        v1, found = torch.cat(heard, dim=1), []
        for first, last, all_heard in self._blocks():
            g = functional.leaky_relu(self.context_norm(self.context(v1[:, :all_heard].mean(1))), 0.2)
            own = v1[:, first:last]
            both = torch.cat([g.unsqueeze(1).expand_as(own), own], dim=2)
            # row: the node that hears, column: the one that is heard
            graph = functional.linear(both, relation[:all_heard], bias[:all_heard]).sigmoid()
            message = functional.leaky_relu(graph @ v1[:, :all_heard], 0.2)
            found.append(functional.leaky_relu(self.second(message), 0.2))
        return torch.cat(found, dim=1)

    def label_features(self, features: Tensor) -> Tensor:
        """Return, per label, the position where it responds most beside its node: [B, seen, width + d]."""
        x = tokens(features)
        responses = self.responses(x)
        peak = responses.argmax(-1, keepdim=True).expand(-1, -1, x.shape[2])
        v0 = self.nodes(x, responses)
        return torch.cat([x.gather(1, peak).to(v0.dtype), v0 + self.passed_on(v0)], dim=2)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, width + d], bias [seen]) of the mean of both branches."""
        return torch.cat([self.cam(), self.weight()], dim=1) / 2, self.bias() / 2
