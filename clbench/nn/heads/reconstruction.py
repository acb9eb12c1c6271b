"""One map out of several stages of a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.heads.cross_attention import Attention, tokens

Merging = Literal["attn", "mul"]


def cross_scale_product(levels: Sequence[Tensor]) -> list[Tensor]:
    """Add to every level the product of all levels, taken at the finest size.

    Cross-scale attention as in TDRG (Zhao et al., ICCV 2021): levels [B, C, h_l, w_l] with the same channels are
    enlarged to the first one's size, multiplied and added, and shrunk back; shapes stay. It has no parameters.
    """
    size = levels[0].shape[2:]
    fine = [level if level.shape[2:] == size else _resized(level, size) for level in levels]
    product = torch.stack(fine).prod(0)
    return [
        full + product if level.shape[2:] == size else _resized(full + product, level.shape[2:])
        for full, level in zip(fine, levels, strict=True)
    ]


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class Reconstruction(nn.Module):
    """Merges maps of several sizes into one map of `d` channels at the size of the deepest.

    Multi-scale feature reconstruction of MMDSR (Machine Learning, 2024). Confirmed by its abstract: cross-layer
    attention merges complementary information of different levels. Reconstructed: how. "attn": positions of a level
    attend over those of all other levels, at the deepest level's size, with residual and layer normalisation; "mul":
    the product of all levels is added to each. Then the levels are joined by one linear map.
    """

    def __init__(self, widths: Sequence[int], *, d: int, heads: int = 4, kind: Merging = "attn") -> None:
        super().__init__()
        self.reduce = nn.ModuleList(nn.Conv2d(width, d, 1) for width in widths)
        levels = len(widths) if kind == "attn" else 0
        self.attention = nn.ModuleList(Attention(d, heads=heads) for _ in range(levels))
        self.norm = nn.ModuleList(nn.LayerNorm(d) for _ in range(levels))
        self.fuse = nn.Conv2d(d * len(widths), d, 1)

    def attend(self, levels: Sequence[Tensor], *, maps: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Return the levels [B, N, d], each having looked at the others, and with `maps` where: [B, heads, N, rest]."""
        merged, looks = [], []
        for i, (attention, norm) in enumerate(zip(self.attention, self.norm, strict=True)):
            others = torch.cat([level for j, level in enumerate(levels) if j != i], dim=1)
            found, look = attention(levels[i], others, others, maps=maps)
            merged.append(norm(levels[i] + found))
            looks.append(look)
        return merged, looks

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return the map [B, d, h, w] of the deepest level's size for maps, shallow to deep."""
        levels = [reduce(x) for reduce, x in zip(self.reduce, maps, strict=True)]
        size = levels[-1].shape[2:]
        if not self.attention:
            levels = cross_scale_product(levels)
        levels = [functional.adaptive_avg_pool2d(level, tuple(size)) for level in levels]
        if self.attention:
            merged, _ = self.attend([tokens(level) for level in levels])
            levels = [level.transpose(1, 2).reshape(level.shape[0], -1, *size) for level in merged]
        joined: Tensor = self.fuse(torch.cat(levels, dim=1))
        return joined
