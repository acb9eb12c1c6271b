"""The inside of a vision transformer: its tokens, its blocks, and keys and values set before those of a block."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError

HINT = "Set train.backbone=clbench_vit, or a timm VisionTransformer with a class token such as vit_base_patch16_224."


def transformer_of(backbone: nn.Module) -> Any:
    """Return the timm VisionTransformer inside a backbone.

    Raises UsageError, naming backbones that do, where there is none, or none with a class token and plain blocks.
    """
    from clbench.imports.models import vision_transformer
    from clbench.nn.backbones.by_name import GivenFeatures

    model = getattr(getattr(backbone, "body", None), "model", None)
    kind = type(getattr(backbone, "body", backbone) if model is None else model).__name__
    if isinstance(getattr(backbone, "body", None), GivenFeatures):
        raise UsageError(
            "the strategy works inside the blocks of a transformer, and the data set has features.",
            hint="It needs pictures. On features run a strategy that reads one map, such as ridge, er or lwf.",
        )
    if not isinstance(model, vision_transformer.VisionTransformer):
        raise UsageError(f"the strategy works inside the blocks of a transformer; {kind} has none.", hint=HINT)
    if model.cls_token is None:
        raise UsageError(f"the strategy reads the class token of a transformer; this {kind} has none.", hint=HINT)
    if any(type(block) is not vision_transformer.Block or not _plain(block.attn) for block in model.blocks):
        raise UsageError(f"the strategy knows plain pre-norm blocks; this {kind} has others.", hint=HINT)
    return model


def _plain(attention: Any) -> bool:
    # timm moved the class from one module to another
    known = type(attention).__name__ == "Attention" and getattr(attention, "gate", None) is None
    return known and isinstance(attention.norm, nn.Identity)


def embedded(model: Any, images: Tensor) -> Tensor:
    """Return the tokens [B, n + N, D] that enter the first block: n class and register tokens, then N patches.

    `images` are float, as the network takes them.
    """
    tokens: Tensor = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(images))))
    return tokens


def queries_keys_values(attention: Any, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return q, k and v [B, heads, N, D / heads] of normed tokens [B, N, D]."""
    batch, length, _ = normed.shape
    qkv = attention.qkv(normed).reshape(batch, length, 3, attention.num_heads, attention.head_dim)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    return attention.q_norm(q), attention.k_norm(k), v


def in_heads(vectors: Tensor, *, heads: int) -> Tensor:
    """Return vectors [..., n, D] as [..., heads, n, D / heads]."""
    return vectors.reshape(*vectors.shape[:-1], heads, vectors.shape[-1] // heads).transpose(-3, -2)


def attended(attention: Any, normed: Tensor, prefix: Tensor | None) -> Tensor:
    """Return what attention makes of normed tokens [B, N, D], with a prefix before its keys and values.

    `prefix` is [B, 2, n, D], or [2, n, D] for all images: n keys and n values as they are after their projections.
    """
    q, k, v = queries_keys_values(attention, normed)
    if prefix is not None:
        both = in_heads(prefix, heads=attention.num_heads).expand(len(normed), -1, -1, -1, -1)
        k, v = torch.cat([both[:, 0], k], dim=2), torch.cat([both[:, 1], v], dim=2)
    return projected(attention, functional.scaled_dot_product_attention(q, k, v))


def projected(attention: Any, mixed: Tensor) -> Tensor:
    """Return the output [B, N, D] of attention whose heads gave `mixed` [B, heads, N, D / heads]."""
    output: Tensor = attention.proj(mixed.transpose(1, 2).flatten(2))
    return output


def after_block(block: Any, tokens: Tensor, prefix: Tensor | None = None) -> Tensor:
    """Return the tokens [B, N, D] after a block, with a prefix as in `attended`.

    Nothing is dropped: a network that stands still is meant, in evaluation mode.
    """
    tokens = tokens + block.ls1(attended(block.attn, block.norm1(tokens), prefix))
    result: Tensor = tokens + block.ls2(block.mlp(block.norm2(tokens)))
    return result


@torch.no_grad()
def class_tokens(model: Any, tokens: Tensor) -> Tensor:
    """Return the class token [B, D] after all blocks and the last norm, of tokens [B, N, D] before the first block."""
    for block in model.blocks:
        tokens = after_block(block, tokens)
    found: Tensor = model.norm(tokens[:, 0])
    return found
