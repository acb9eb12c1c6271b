"""ML-Decoder: cross-attention of fixed group queries."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.base import LabelwiseHead
from clbench.nn.heads.cross_attention import Attention, check_heads, feed_forward, tokens
from clbench.nn.heads.growing_blocks import Blocks, normal, zeros


class GroupLayer(nn.Module):
    """A decoder layer without self-attention; its first step adds dropout(query) to the query, as published."""

    def __init__(self, d: int, *, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(d, heads=heads, dropout=dropout)
        self.ffn = feed_forward(d, hidden=hidden, dropout=dropout)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor, *, maps: bool) -> tuple[Tensor, Tensor]:
        """Return (group features [B, Q, d], attention over positions or empty)."""
        x = self.norm1(x + self.drop(x))
        found, attention = self.attention(x, memory, memory, maps=maps)
        x = self.norm2(x + self.drop(found))
        return self.norm3(x + self.drop(self.ffn(x))), attention


class MLDecoderHead(LabelwiseHead):
    """Fixed random queries, each serving a group of labels, and one classifier row per label.

    ML-Decoder (Ridnik et al., WACV 2023, section 3): no self-attention and queries that are not learned. One feature
    for one label (OFOL) with `group_size` 1, one feature for `group_size` labels otherwise; labels of a group share
    attention and feature. Options: `d`, `heads`, `hidden`, `layers`, `dropout`, `group_size`.

    Deviation: the paper spreads a known number of labels over at most 100 groups; here every session makes its own
    groups of up to `group_size` labels, since a group that grew would change.
    """

    group: Tensor

    def __init__(
        self,
        *,
        width: int,
        d: int = 768,
        heads: int = 8,
        hidden: int = 2048,
        layers: int = 1,
        dropout: float = 0.1,
        group_size: int = 1,
    ) -> None:
        super().__init__(width=width)
        check_heads(d=d, heads=heads)
        if layers < 1 or group_size < 1 or not 0 <= dropout < 1:
            raise UsageError(
                f"head_options: layers is {layers}, group_size {group_size}, dropout {dropout};"
                " expected layers >= 1, group_size >= 1, 0 <= dropout < 1.",
                hint="ML-Decoder uses layers=1 dropout=0.1.",
            )
        self.group_size = group_size
        self.projection = nn.Linear(width, d)
        self.layers = nn.ModuleList(GroupLayer(d, heads=heads, hidden=hidden, dropout=dropout) for _ in range(layers))
        self.queries = Blocks(d, init=normal(1.0), trainable=False)
        self.weight = Blocks(d, init=nn.init.xavier_normal_)
        self.bias = Blocks(init=zeros)
        # which query serves each label; follows from the blocks
        self.register_buffer("group", torch.empty(0, dtype=torch.long), persistent=False)

    def rows_for(self, k: int, table: Blocks) -> int:
        """Return how many rows of `table` a block of `k` labels needs: one query per group."""
        return -(-k // self.group_size) if table is self.queries else k

    def grow(self, k: int) -> None:
        """Add `k` labels in groups of their own."""
        first = len(self.queries)
        super().grow(k)
        new = first + torch.arange(k, device=self.group.device) // self.group_size
        self.group = torch.cat([self.group, new])

    def decode(self, features: Tensor, *, maps: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return the label features [B, seen, d] and, with `maps`, the attention of every layer by label."""
        memory = functional.relu(self.projection(tokens(features)))
        x = self.queries().unsqueeze(0)
        if self.training:  # each image needs a dropout mask of its own
            x = x.expand(memory.shape[0], -1, -1)
        attentions = []
        for layer in self.layers:
            x, attention = layer(x, memory, maps=maps)
            attentions.append(attention)
        if self.group_size > 1:
            x = x[:, self.group]
            attentions = [attention[:, :, self.group] if maps else attention for attention in attentions]
        return x, attentions if maps else []

    def label_features(self, features: Tensor) -> Tensor:
        """Return the feature each label is decided on, [B, seen, d]."""
        return self.decode(features)[0]

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return (weight [seen, d], bias [seen])."""
        return self.weight(), self.bias()

    def attention(self, features: Tensor) -> Tensor:
        """Return where each label's group looks in the last layer: [B, heads, seen, N]."""
        return self.decode(features, maps=True)[1][-1]
