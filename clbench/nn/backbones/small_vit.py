"""A small vision transformer that learns on one processor core."""

from __future__ import annotations

from typing import Any

from clbench.errors import UsageError

PATCH = 8


def small_vit(*, image_size: int) -> Any:
    """Return a timm VisionTransformer of 5 blocks, 96 wide, on patches of 8 x 8 pixels; no classifier, random weights.

    0.6 M parameters with images [B, 3, 64, 64]. Five blocks, because methods with prompts reach into the first five.
    Raises UsageError unless patches divide `image_size`.
    """
    from clbench.imports.models import vision_transformer

    if image_size % PATCH:
        raise UsageError(
            f"train.image_size is {image_size}, but the small transformer cuts patches of {PATCH} pixels.",
            hint=f"Choose a multiple of {PATCH}.",
        )
    return vision_transformer.VisionTransformer(
        img_size=image_size, patch_size=PATCH, embed_dim=96, depth=5, num_heads=4, num_classes=0, class_token=True
    )
