"""Multi-head attention of label queries over the positions of a map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError


def check_heads(*, d: int, heads: int) -> None:
    """Raise UsageError unless width `d` divides into `heads`."""
    if d < 1 or heads < 1 or d % heads:
        raise UsageError(
            f"head_options: d is {d} and heads is {heads}, expected positive numbers with d divisible by heads.",
            hint="Use for instance d=64 heads=4, or d=512 heads=8.",
        )


class Attention(nn.Module):
    """Multi-head attention softmax(Q K^T / sqrt(d / heads)) V with linear maps for Q, K, V and the output.

    The fused kernel is used unless the maps are asked for.
    """

    def __init__(self, d: int, *, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        check_heads(d=d, heads=heads)
        self.heads = heads
        self.dropout = dropout
        self.q = nn.Linear(d, d)
        self.k = nn.Linear(d, d)
        self.v = nn.Linear(d, d)
        self.out = nn.Linear(d, d)
        for linear in (self.q, self.k, self.v, self.out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, *, maps: bool = False) -> tuple[Tensor, Tensor]:
        """Return (result [B, M, d], attention [B, heads, M, N]); the attention is empty unless `maps`.

        `queries` is [B or 1, M, d], `keys` and `values` are [B, N, d]; one set of queries may serve the whole batch.
        The attention is what it was before dropout.
        """
        k, v = self._split(self.k(keys)), self._split(self.v(values))
        q = self._split(self.q(queries)).expand(k.shape[0], -1, -1, -1)
        if maps:
            scores = q @ k.transpose(-1, -2) * (q.shape[-1] ** -0.5)
            # half precision is too coarse for rows that must sum to one
            attention = scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))
            mixed = functional.dropout(attention.to(v.dtype), self.dropout, self.training) @ v
        else:
            attention = q.new_empty(0)
            mixed = functional.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        result: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return result, attention


def feed_forward(d: int, *, hidden: int, dropout: float = 0.0) -> nn.Sequential:
    """Return the two-layer perceptron of a transformer block."""
    return nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, d))


def tokens(features: Tensor) -> Tensor:
    """Lay a map [B, C, h, w] out as positions [B, h * w, C]; free of a copy for channels-last maps."""
    return features.flatten(2).transpose(1, 2)
