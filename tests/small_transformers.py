"""Transformers that are small enough for tests of identities, and the lanes of a release's paper as a plain loop."""

from __future__ import annotations

from typing import Any

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from clbench.nn.backbones.by_name import Backbone, TimmBody


def transformer(*, depth: int = 3, width: int = 16, double: bool = False, **options: Any) -> Backbone:
    """Return a backbone with random weights, large enough that every part of it matters, in evaluation mode."""
    torch.manual_seed(0)
    model = VisionTransformer(
        img_size=16, patch_size=4, embed_dim=width, depth=depth, num_heads=2, num_classes=0, **options
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    backbone = Backbone(TimmBody(model), width=width, stride=4).eval()
    return backbone.double() if double else backbone


def pictures(count: int = 5, *, seed: int = 0) -> Tensor:
    """Return random pictures uint8 [count, 3, 16, 16]."""
    return torch.randint(0, 256, (count, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def lane_by_formula(
    model: Any, images: Tensor, selectors: Tensor, prefixes: Tensor, *, replaced: bool = False
) -> Tensor:
    """Return the unit class token [B, D] of one lane, every token of it passing every layer as the method is defined.

    `selectors` [S, D], `prefixes` [blocks, 2, P, D]; `replaced` puts selectors back after each block.
    """
    x = model._pos_embed(model.patch_embed(images))
    z = torch.cat([model.cls_token.expand(len(x), -1, -1), selectors.expand(len(x), -1, -1)], dim=1)
    for i, block in enumerate(model.blocks):
        x_in, z_in = block.norm1(x), block.norm1(z)
        summaries = (z_in[:, 1:] @ x_in.transpose(1, 2) / x.shape[-1] ** 0.5).softmax(-1) @ x_in
        attention, tokens = block.attn, torch.cat([z_in[:, :1], summaries], dim=1)
        q, k, v = attention.qkv(tokens).reshape(*tokens.shape[:2], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
        if i < len(prefixes):
            before = prefixes[i].unflatten(-1, (attention.num_heads, -1)).transpose(1, 2).expand(len(x), -1, -1, -1, -1)
            k, v = torch.cat([before[:, 0], k], 2), torch.cat([before[:, 1], v], 2)
        y = attention.proj((((q * attention.scale) @ k.transpose(2, 3)).softmax(-1) @ v).transpose(1, 2).flatten(2))
        z = z + torch.cat([y[:, :1], z_in[:, 1:]], dim=1)
        z = z + block.mlp(block.norm2(z))
        if replaced:
            z = torch.cat([z[:, :1], selectors.expand(len(x), -1, -1)], dim=1)
        x = block(x)
    return torch.nn.functional.normalize(model.norm(z[:, 0]), dim=-1)
