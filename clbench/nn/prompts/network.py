"""A transformer that stands still, the prompts it is given, and a head on what it then says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from clbench.errors import UsageError
from clbench.nn.backbones.transformer import after_block, class_tokens, embedded, transformer_of
from clbench.nn.heads.base import Head
from clbench.nn.heads.network import Network


@dataclass
class Chosen:
    """What one pass is given: `prefixes` by block [B, 2, n, D] or [2, n, D], `tokens` [B, n, D] before all others."""

    prefixes: dict[int, Tensor] = field(default_factory=dict)
    tokens: Tensor | None = None


class Prompts(nn.Module):
    """Base of what turns queries, the class token [B, D] of a pass without prompts, into the prompts of a second.

    `near` passes on, unchanged, what brings queries and chosen keys together: a place to look at from outside.
    """

    def __init__(self) -> None:
        super().__init__()
        self.near = nn.Identity()

    def blocks(self) -> list[int]:
        """Return the blocks that get a prefix."""
        return []

    def forward(self, query: Tensor) -> Chosen:
        """Return the prompts of every image of the batch. `query` is [B, D]."""
        raise NotImplementedError


class PromptedNetwork(Network):
    """Two passes through a frozen transformer: the first asks, the second is given the prompts chosen.

    What the head takes is one position: the class token [B, D, 1, 1] of the second pass, or, where prompts stand before
    all tokens, the mean of what became of them. Raises UsageError for other backbones.
    """

    inside_backbone = True

    def __init__(self, backbone: nn.Module, head: Head, prompts: Prompts) -> None:
        depth = len(transformer_of(backbone).blocks)
        wrong = [block for block in prompts.blocks() if not 0 <= block < depth]
        if wrong:
            raise UsageError(
                f"a prefix is wanted in block {wrong[0]}; the backbone has blocks 0 to {depth - 1}.",
                hint="Name blocks that are there, or take a deeper backbone.",
            )
        super().__init__(backbone.requires_grad_(False), head)
        self.prompts = prompts

    def features(self, images: Tensor) -> Tensor:
        """Return what the head takes, [B, D, 1, 1]."""
        model: Any = self.backbone.body.model  # type: ignore[union-attr]
        with torch.no_grad():
            tokens = embedded(model, self.backbone.normalise(images))  # type: ignore[operator]
            query = class_tokens(model, tokens)
        chosen: Chosen = self.prompts(query)
        own = 0 if chosen.tokens is None else chosen.tokens.shape[1]
        if chosen.tokens is not None:
            tokens = torch.cat([chosen.tokens, tokens], dim=1)
        for i, block in enumerate(model.blocks):
            tokens = after_block(block, tokens, chosen.prefixes.get(i))
        read: Tensor = model.norm(tokens[:, :own]).mean(1) if own else model.norm(tokens[:, 0])
        return read[:, :, None, None]
