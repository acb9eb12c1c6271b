"""Features of many images, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from clbench.nn.heads.network import Network


@torch.no_grad()
def pooled_features(network: Network, images: Iterable[Tensor]) -> Tensor:
    """Return the backbone's features averaged over all positions, float32 [n, width] on the CPU.

    `images` yields batches uint8 [b, 3, H, W]; the network should be in evaluation mode.
    """
    parts = [network.features(batch).float().mean(dim=(2, 3)).cpu() for batch in images]
    return torch.cat(parts) if parts else torch.empty(0, 0)
