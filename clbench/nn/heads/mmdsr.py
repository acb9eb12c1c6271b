"""MMDSR: several scales, channels weighed twice, and a graph between the labels of each image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.base import Head
from clbench.nn.heads.cross_attention import check_heads, tokens
from clbench.nn.heads.dual_branch import CHANNELS, Channels
from clbench.nn.heads.growing_blocks import Blocks, uniform
from clbench.nn.heads.label_graph import LabelGraph, Normalise
from clbench.nn.heads.reconstruction import Merging, Reconstruction


class MMDSRHead(Head):
    """Multi-scale maps, channel gates and a label graph that each image builds for itself.

    MMDSR (Machine Learning, 2024). Confirmed by its abstract: three modules, a graph per image from a multi-perspective
    weighted cosine, no static graph. Reconstructed: everything else, from the building blocks it rests on (IDGL, TDRG,
    ADD-GCN). A label's node is the sum of projected positions where its own map responds; nodes exchange messages along
    the graph; the logit is the mean of a classifier on the node and of the map's strongest responses.

    Options: `m1` multi-scale reconstruction (`msfr` "attn" or "mul" over the last `levels` stages), `m2` channel dual
    branch (`cdbca` "gates" or "qk"), `m3` graph; with all three off it is the head `linear`, bit for bit. `d` width of
    maps and nodes, `heads` of the attention between scales, `perspectives`, `layers`, `epsilon` and `normalise` of the
    graph, `top` share of positions that a map's response is averaged over, `old_sees_new`: whether labels hear those
    that came later. They do not by default, so that growing leaves old outputs as they are; in a single session it
    makes no difference.
    """

    def __init__(
        self,
        *,
        width: int,
        d: int = 512,
        heads: int = 4,
        levels: int = 3,
        m1: bool = True,
        m2: bool = True,
        m3: bool = True,
        msfr: Merging = "attn",
        cdbca: Channels = "gates",
        perspectives: int = 4,
        layers: int = 1,
        epsilon: float = 0.0,
        normalise: Normalise = "symmetric",
        top: float = 0.05,
        old_sees_new: bool = False,
    ) -> None:
        super().__init__(width=width)
        check_heads(d=d, heads=heads)
        if levels < 2 or not 0 < top <= 1:
            raise UsageError(
                f"head_options: levels is {levels} and top is {top}, expected levels >= 2 and 0 < top <= 1.",
                hint="Use for instance levels=3 top=0.05.",
            )
        self.d, self.heads, self.msfr = d, heads, msfr
        self.levels, self.top, self.old_sees_new = levels, top, old_sees_new
        self.wants_stages, self.ofol, self.entangled = m1, m3, m3 and old_sees_new
        channels = d if m1 else width
        self.reconstruction: Reconstruction | None = None
        self.dual = CHANNELS[cdbca](channels) if m2 else None
        self.value = nn.Linear(channels, d) if m3 else None
        self.norm = nn.LayerNorm(d) if m3 else None
        self.graph = (
            LabelGraph(d, perspectives=perspectives, layers=layers, epsilon=epsilon, normalise=normalise)
            if m3
            else None
        )
        self.weight = Blocks(d if m3 else channels, init=uniform(d if m3 else channels))
        self.bias = Blocks(init=uniform(d if m3 else channels))
        if m3:
            self.node = Blocks(channels, init=uniform(channels))
            self.node_bias = Blocks(init=uniform(channels))

    def attach(self, shapes: Sequence[tuple[int, int, int]]) -> None:
        """Take the shapes (channels, h, w) of the backbone's stages and choose those to merge."""
        self.stages = chosen_levels(shapes, levels=self.levels)
        widths = [shapes[i][0] for i in self.stages]
        self.reconstruction = Reconstruction(widths, d=self.d, heads=self.heads, kind=self.msfr)

    def merged(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the map that labels look at, [B, channels, h, w]."""
        if isinstance(features, Tensor):
            x = features
        else:
            assert self.reconstruction is not None, "attach comes before the first image"
            x = self.reconstruction([features[i] for i in self.stages])
        return x if self.dual is None else self.dual(x)

    def blocks(self) -> list[int]:
        """Return how many labels hear each other, in order of arrival."""
        sizes = [len(block) for block in self.weight.blocks]
        return [sum(sizes)] if self.old_sees_new else sizes

    def responses(self, x: Tensor) -> Tensor:
        """Return how strongly each position [B, N, channels] responds to each label, [B, N, seen]."""
        sizes = self.blocks()
        rows = zip(torch.split(self.node(), sizes), torch.split(self.node_bias(), sizes), strict=True)
        # block by block: a matrix product may round a column differently when columns are added
        return torch.cat([functional.linear(x, weight, bias) for weight, bias in rows], dim=2)

    def nodes(self, x: Tensor, responses: Tensor) -> Tensor:
        """Return one node per label, [B, seen, d], of positions [B, N, channels] and their `responses`."""
        assert self.value is not None and self.norm is not None
        values = self.value(x)
        parts = torch.split(responses.sigmoid(), self.blocks(), dim=2)
        # their lengths grow with the area that responds; the graph's messages must not
        return torch.cat([self.norm(part.transpose(1, 2) @ values) for part in parts], dim=1)

    def _strongest(self, responses: Tensor) -> tuple[Tensor, Tensor]:
        """Return the largest responses [B, k, seen] and their positions."""
        values, positions = responses.topk(max(1, round(self.top * responses.shape[1])), dim=1)
        return values, positions

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the logits [B, seen] of a map, or of the maps of all stages with `m1`."""
        x = self.merged(features)
        weight, bias = self.weight(), self.bias()
        if self.graph is None:
            return functional.linear(x.mean(dim=(2, 3)), weight, bias)
        x = tokens(x)
        responses = self.responses(x)
        heard = self.graph(self.nodes(x, responses), blocks=self.blocks())
        by_graph: Tensor = (heard * weight).sum(-1) + bias
        return (by_graph + self._strongest(responses)[0].mean(1)) / 2

    def label_features(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Return each label's node and the mean of its strongest positions, [B, seen, d + channels].

        Without the graph it is the feature shared by all labels, [B, 1, channels].
        """
        x = self.merged(features)
        if self.graph is None:
            return x.mean(dim=(2, 3)).unsqueeze(1)
        x = tokens(x)
        responses = self.responses(x)
        heard = self.graph(self.nodes(x, responses), blocks=self.blocks())
        positions = self._strongest(responses)[1]
        images = torch.arange(x.shape[0], device=x.device)[:, None, None]
        return torch.cat([heard, x[images, positions].mean(1)], dim=2)

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight, bias) that meet `label_features`. Shapes [seen, d] and [seen]."""
        if self.graph is None:
            return self.weight(), self.bias()
        return torch.cat([self.weight(), self.node()], dim=1) / 2, (self.bias() + self.node_bias()) / 2

    def attention(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        """Return where each label's map responds, [B, 1, seen, N], summing to one."""
        if self.graph is None:
            return super().attention(torch.empty(0))
        shares = self.responses(tokens(self.merged(features))).sigmoid().transpose(1, 2)
        return (shares / shares.sum(-1, keepdim=True)).unsqueeze(1)


def chosen_levels(shapes: Sequence[tuple[int, int, int]], *, levels: int) -> list[int]:
    """Return which stages to merge: the deepest of each of the last `levels` sizes, shallow to deep.

    A backbone whose stages all have one size (a plain transformer) gives its last `levels` stages. Raises UsageError
    where there is one stage alone.
    """
    chosen: list[int] = []
    for i in reversed(range(len(shapes))):
        if not chosen or shapes[i][1:] != shapes[chosen[-1]][1:]:
            chosen.append(i)
    if len(chosen) < levels:
        chosen = list(reversed(range(len(shapes))))
    if len(chosen) < 2:
        raise UsageError(
            "head 'mmdsr' merges several stages, but the backbone has one.", hint="Set head_options.m1=false."
        )
    return sorted(chosen[:levels])
