"""A network that shows the maps its forward pass went through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clbench.errors import ClbenchError
from clbench.nn.heads.base import Head
from clbench.nn.heads.network import Network


class StagedNetwork(Network):
    """Keeps the maps of the backbone's stages of the last pass that built a graph, so that none is computed twice."""

    def __init__(self, backbone: nn.Module, head: Head) -> None:
        super().__init__(backbone, head)
        self._stages: list[Tensor] = []

    def maps(self, images: Tensor) -> Any:
        """Return what the head takes: the feature map, or the maps of all stages where it wants them.

        `images` is uint8 [B, 3, H, W], every map [B, c, h, w].
        """
        stages = self.stages(images)
        if torch.is_grad_enabled():
            self._stages = stages
        return stages if self.head.wants_stages else stages[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all stages, shallow to deep; the last one is `features`.

        `images` is uint8 [B, 3, H, W], every map [B, c, h, w].
        """
        stages: list[Tensor] = self.backbone.stages(images)  # type: ignore[operator]
        return stages

    def taken(self) -> list[Tensor]:
        """Return the kept maps and forget them: a copy of the network must not hold a graph.

        Each is [B, c, h, w]. Raises ClbenchError where none were kept.
        """
        if not self._stages:
            raise ClbenchError("the network kept no maps.", hint="Take them once per step, after its forward pass.")
        stages, self._stages = self._stages, []
        return stages
