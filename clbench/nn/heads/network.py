"""Backbone and head as one module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clbench.nn.heads.base import Head


class Network(nn.Module):
    """A backbone and a growing head: images [B, 3, H, W] to logits [B, seen].

    `between` changes the feature map on its way from one to the other and keeps its shape: adapters, projections. It is
    no part of the backbone, so it trains where that is frozen, and works on stored features.
    """

    inside_backbone = False
    """Whether it works inside the backbone, so that the backbone's own maps cannot stand in for pictures."""

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.between: nn.Module = nn.Identity()
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [B, seen] of the labels seen so far."""
        logits: Tensor = self.head(self.maps(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Return the feature map [B, width, h, w]."""
        features: Tensor = self.between(self.backbone(images))
        return features

    def maps(self, images: Tensor) -> Any:
        """Return what the head takes: the feature map, or the maps of all stages where it wants them."""
        if not self.head.wants_stages:
            return self.features(images)
        *earlier, last = self.backbone.stages(images)  # type: ignore[operator]
        return [*earlier, self.between(last)]


@torch.no_grad()
def stage_shapes(backbone: nn.Module, *, image_size: int) -> list[tuple[int, int, int]]:
    """Return (channels, h, w) of every stage of `backbone`, shallow to deep, seen on one black image."""
    training = backbone.training
    backbone.eval()
    try:
        image = torch.zeros(1, 3, image_size, image_size, dtype=torch.uint8)
        return [tuple(stage.shape[1:]) for stage in backbone.stages(image)]  # type: ignore[operator]
    finally:
        backbone.train(training)
