"""Where on a map a head finds a label."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from clbench.nn.heads.base import Head
from clbench.nn.heads.mmdsr import MMDSRHead

ATTENTION, RESPONSE = "attention", "response"


@torch.no_grad()
def where(head: Head, maps: Any, *, label: int) -> tuple[Tensor, str]:
    """Return how much each position counts for `label` in every image, [B, h, w] summing to one, and what it means.

    `maps` are what the network gives its head. A head with a feature per label says where that feature comes from, its
    heads averaged ("attention"). With a shared feature it is the positive part of the label's response w_j . x at each
    position x ("response"), as in class activation maps (Zhou et al., CVPR 2016); without any, all positions alike.
    """
    last = maps if isinstance(maps, Tensor) else maps[-1]
    h, w = last.shape[2:]
    if head.ofol:
        found = head.attention(maps)[:, :, label].float().mean(1)
        return found.view(-1, h, w), ATTENTION
    shared = head.merged(maps) if isinstance(head, MMDSRHead) else last
    response = torch.einsum("bchw,c->bhw", shared.float(), head.classifier()[0][label].float()).clamp(min=0)
    total = response.sum(dim=(1, 2), keepdim=True)
    return torch.where(total > 0, response / total.clamp(min=1e-12), torch.full_like(response, 1 / (h * w))), RESPONSE
