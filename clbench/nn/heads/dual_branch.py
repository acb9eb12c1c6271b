"""Channels weighed by the whole image and by each position, each branch with a look at the other."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn


class DualBranch(nn.Module):
    """Adds to a map its channels as the image as a whole and as each position weigh them.

    Channel dual-branch cross-attention of MMDSR (Machine Learning, 2024). Confirmed by its abstract: global information
    and local features are related by adaptive cross-fusion. Reconstructed: with bottlenecks g of the pooled map and l
    of each position, U_g = X sigmoid(g + pool(l)), U_l = X sigmoid(l + g) and X + a_g U_g + a_l U_l, where the weights
    a are learnt per channel and sum to one.
    """

    def __init__(self, channels: int, *, squeeze: int = 16) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 4)
        self.whole = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.local = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.alpha = nn.Parameter(torch.zeros(2, channels))

    def gates(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gates of the global branch [B, C, 1, 1] and of the local one [B, C, h, w], in (0, 1)."""
        whole, local = self.whole(x.mean(dim=(2, 3), keepdim=True)), self.local(x)
        return (whole + local.mean(dim=(2, 3), keepdim=True)).sigmoid(), (local + whole).sigmoid()

    def fusion(self) -> Tensor:
        """Return the weights of both branches [2, C], which sum to one."""
        return self.alpha.softmax(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape [B, C, h, w]."""
        whole, local = self.gates(x)
        share = self.fusion()[:, None, :, None, None]
        return x + share[0] * (x * whole) + share[1] * (x * local)


class ChannelAttention(nn.Module):
    """Adds to each channel of a map a mixture of all channels that lie where it lies.

    The other reading of MMDSR's channel dual-branch cross-attention, reconstructed: queries are the channels as the
    whole image weighs them, keys those of a bottleneck at each position, A = softmax(Q K^T / sqrt(positions)) over the
    channels, and X + s A X with a learnt s that begins at zero.
    """

    def __init__(self, channels: int, *, squeeze: int = 16) -> None:
        super().__init__()
        hidden = max(channels // squeeze, 4)
        self.whole = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.local = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))
        self.scale = nn.Parameter(torch.zeros(()))

    def attention(self, x: Tensor) -> Tensor:
        """Return how much each channel takes of every other, [B, C, C]; rows sum to one."""
        queries = (x * self.whole(x.mean(dim=(2, 3), keepdim=True)).sigmoid()).flatten(2)
        keys = self.local(x).flatten(2)
        return torch.softmax(queries @ keys.transpose(1, 2) / math.sqrt(keys.shape[2]), dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape [B, C, h, w]."""
        mixed = self.attention(x) @ x.flatten(2)
        added: Tensor = self.scale * mixed.reshape(x.shape)
        return x + added


Channels = Literal["gates", "qk"]
CHANNELS: dict[Channels, type[DualBranch] | type[ChannelAttention]] = {"gates": DualBranch, "qk": ChannelAttention}
"""The readings of the module, by the name of MMDSR's option `cdbca`."""
