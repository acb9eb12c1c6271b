"""Disentangled label features: learnable semantic queries that gather each label's own feature."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from clbench.errors import UsageError
from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import Attention, check_heads, feed_forward, tokens
from clbench.nn.heads.growing_blocks import Blocks, normal, uniform
from clbench.nn.heads.positions import Positional, check_positional, sine

WIDEST = 512
"""The width of queries and features where the map is wider and nothing else is asked for."""


class Stage(nn.Module):
    """One semantic spatial cross-attention: queries look over the map and come back as label features.

    F = softmax(theta(Q) phi(X)^T / sqrt(d)) psi(X) and an output map; with `residual` the query is added and layer
    normalisation applied, with `ffn` a perceptron of hidden width ffn * d follows. Labels never see each other.
    """

    def __init__(self, d: int, *, heads: int, ffn: int, residual: bool) -> None:
        super().__init__()
        self.attention = Attention(d, heads=heads)
        self.norm = nn.LayerNorm(d) if residual else None
        self.ffn = feed_forward(d, hidden=ffn * d) if ffn else None
        self.ffn_norm = nn.LayerNorm(d) if ffn and residual else None

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, *, maps: bool) -> tuple[Tensor, Tensor]:
        """Return (label features [B, M, d], attention [B, heads, M, N] or empty)."""
        found, attention = self.attention(queries, keys, values, maps=maps)
        x = found if self.norm is None else self.norm(queries + found)
        if self.ffn is not None:
            x = self.ffn(x) if self.ffn_norm is None else self.ffn_norm(x + self.ffn(x))
        return x, attention


class QueriesHead(LabelwiseHead):
    """One learnable query per label, chained cross-attention over the map, one classifier row per label.

    The feature disentangle module of DLFL (Jia et al., arXiv 2212.01461). Confirmed by its abstract: learnable semantic
    queries, one per label and the same for all images, and semantic spatial cross-attention, which finds a label's
    regions and pools them into its feature: one feature for one label (OFOL). From notes of others on its predecessor
    DAFL (AAAI 2022): A = softmax(theta(Q) phi(X)^T / sqrt(d)), F = A psi(X), several heads, and the features of stage s
    are the queries of stage s + 1. Reconstructed, since it could not be established: width, number of heads and stages,
    residuals, perceptrons, the projection of the map to `d` channels and the map after the attention; growth in blocks.

    Options: `d` width of queries and features, 0 for that of the map but at most 512; `heads`; `stages`; `ffn` hidden
    width of a perceptron per stage as a multiple of d, 0 for none; `residual` adds the query back and normalises;
    `positional` "none" or "sine", added to the keys.
    """

    def __init__(
        self,
        *,
        width: int,
        d: int = 0,
        heads: int = 8,
        stages: int = 2,
        ffn: int = 0,
        residual: bool = True,
        positional: Positional = "none",
    ) -> None:
        super().__init__(width=width)
        d = d or min(width, WIDEST)
        check_heads(d=d, heads=heads)
        check_positional(positional, d=d)
        if stages < 1 or ffn < 0:
            raise UsageError(
                f"head_options: stages is {stages} and ffn is {ffn}, expected stages >= 1 and ffn >= 0.",
                hint="DLFL's default here is stages=2 ffn=0.",
            )
        self.d = d
        self.positional = positional
        self.projection = nn.Linear(width, d)
        self.stages = nn.ModuleList(Stage(d, heads=heads, ffn=ffn, residual=residual) for _ in range(stages))
        self.queries = Blocks(d, init=normal(1.0))
        self.weight = Blocks(d, init=uniform(d))
        self.bias = Blocks(init=uniform(d))

    def decode(self, features: Tensor, *, maps: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return the label features [B, seen, d] and, with `maps`, the attention [B, heads, seen, N] of every stage."""
        h, w = features.shape[2:]
        values = self.projection(tokens(features))
        keys = values
        if self.positional == "sine":
            keys = values + sine(h, w, d=self.d, device=values.device).to(values.dtype)
        # one set of queries for all images: the first stage maps it once, not once per image
        x = self.queries().unsqueeze(0)
        attentions = []
        for stage in self.stages:
            x, attention = stage(x, keys, values, maps=maps)
            attentions.append(attention)
        return x, attentions if maps else []

    def label_features(self, features: Tensor) -> Tensor:
        """Return each label's own feature, [B, seen, d]."""
        return self.decode(features)[0]

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, d], bias [seen])."""
        return self.weight(), self.bias()

    def attention(self, features: Tensor) -> Tensor:
        """Return where each label looks in the last stage: [B, heads, seen, N], rows summing to one."""
        return self.decode(features, maps=True)[1][-1]

    def attentions(self, features: Tensor) -> Tensor:
        """Return the attention of all stages: [stages, B, heads, seen, N]."""
        return torch.stack(self.decode(features, maps=True)[1])
