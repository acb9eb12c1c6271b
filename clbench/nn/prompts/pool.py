"""Prompts that an image chooses from a pool by the nearest keys (L2P), or by session (DualPrompt)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.nn.prompts.network import Chosen, Prompts


def cosines(query: Tensor, keys: Tensor) -> Tensor:
    """Return the cosines [B, K] between queries [B, D] and keys [K, D]."""
    return functional.normalize(query, dim=-1) @ functional.normalize(keys, dim=-1).T


def nearest(near: Tensor, *, top_k: int, legacy_batchwise: bool = False) -> Tensor:
    """Return the numbers [B, top_k] of the keys with the largest cosines `near` [B, K].

    `legacy_batchwise` gives all images of a batch the keys that most of them chose, as public ports do by default.
    """
    chosen = near.topk(top_k, dim=1).indices
    if not legacy_batchwise:
        return chosen
    votes = torch.bincount(chosen.flatten(), minlength=near.shape[1])
    return votes.topk(top_k).indices.expand(len(near), -1)


def drawn(*shape: int) -> nn.Parameter:
    """Return new prompts or keys of that shape, uniform in +-1."""
    return nn.Parameter(torch.empty(*shape).uniform_(-1, 1))


class Pool(Prompts):
    """`size` prompts [length, D] with a key each; an image gets the `top_k` with the nearest keys.

    They stand before all tokens, or, with `prefix`, their first halves are keys and their second halves values of the
    first block. `legacy_pairs` sums the cosines of an image over the keys chosen by all images of its batch.
    """

    def __init__(
        self,
        *,
        width: int,
        size: int,
        length: int,
        top_k: int,
        prefix: bool = False,
        legacy_batchwise: bool = False,
        legacy_pairs: bool = False,
    ) -> None:
        super().__init__()
        self.top_k = top_k
        self.prefix = prefix
        self.legacy_batchwise = legacy_batchwise
        self.legacy_pairs = legacy_pairs
        self.prompts = drawn(size, length, width)
        self.keys = drawn(size, width)

    def blocks(self) -> list[int]:
        """Return the blocks that get a prefix."""
        return [0] if self.prefix else []

    def forward(self, query: Tensor) -> Chosen:
        """Return the chosen prompts of every image; `near` is [B]. `query` is [B, D]."""
        near = cosines(query, self.keys)
        chosen = nearest(near.detach(), top_k=self.top_k, legacy_batchwise=self.legacy_batchwise)
        self.near(near[:, chosen].sum((1, 2)) if self.legacy_pairs else near.gather(1, chosen).sum(1))
        prompts = self.prompts[chosen]
        if not self.prefix:
            return Chosen(tokens=prompts.flatten(1, 2))
        half = prompts.shape[2] // 2
        return Chosen({0: torch.stack([prompts[:, :, :half].flatten(1, 2), prompts[:, :, half:].flatten(1, 2)], dim=1)})


class SessionPrompts(Prompts):
    """Prefixes that all sessions share in some blocks, and in others prefixes and a key for each session.

    In training an image gets those of the newest session, else those with the nearest key. Those of a new session, its
    key too, start as a copy of the last, so that growing moves nothing; earlier ones stop training.
    """

    def __init__(
        self,
        *,
        width: int,
        shared_blocks: Sequence[int],
        own_blocks: Sequence[int],
        shared_length: int,
        own_length: int,
        legacy_batchwise: bool = False,
        legacy_reshape: bool = False,
    ) -> None:
        super().__init__()
        self.shape = (len(own_blocks), 2, own_length, width)
        self.shared_blocks, self.own_blocks = list(shared_blocks), list(own_blocks)
        self.legacy_batchwise = legacy_batchwise
        self.legacy_reshape = legacy_reshape
        self.shared = drawn(len(shared_blocks), 2, shared_length, width)
        self.own = nn.ParameterList()
        self.keys = nn.ParameterList()

    def blocks(self) -> list[int]:
        """Return the blocks that get a prefix."""
        return [*self.shared_blocks, *self.own_blocks]

    def grow(self) -> None:
        """Add the prefixes and the key of a new session."""
        for kept, shape in ((self.own, self.shape), (self.keys, self.shape[-1:])):
            new = nn.Parameter(kept[-1].detach().clone()) if len(kept) else drawn(*shape)
            kept.requires_grad_(False)
            kept.append(new)

    def forward(self, query: Tensor) -> Chosen:
        """Return the prefixes of every image; `near` is [B]. `query` is [B, D]."""
        if self.training:
            self.near(cosines(query, self.keys[-1][None])[:, 0])
            own = self.own[-1].expand(len(query), -1, -1, -1, -1)
        else:
            near = cosines(query, torch.stack(list(self.keys)))
            chosen = nearest(near, top_k=1, legacy_batchwise=self.legacy_batchwise)[:, 0]
            own = torch.stack(list(self.own))[chosen]
        prefixes = dict(zip(self.shared_blocks, self.shared, strict=True))
        for i, block in enumerate(self.own_blocks):
            prefixes[block] = mixed_up(own[:, i]) if self.legacy_reshape else own[:, i]
        return Chosen(prefixes)


def mixed_up(prefixes: Tensor) -> Tensor:
    """Return prefixes [B, 2, n, D] as public ports of DualPrompt give them to a block.

    They lie there as [2, B, ...] and are read as [B, 2, ...] without swapping: a batch's first half gets key prompts
    only, its second half value prompts.
    """
    return prefixes.transpose(0, 1).reshape(prefixes.shape)
