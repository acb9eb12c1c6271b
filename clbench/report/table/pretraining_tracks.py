"""Pretraining tracks: rows whose backbones saw different data before the first session are ranked apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

SHOWN = {
    "none": "from scratch",
    "stand-in": "stand-in pretraining",
    "imagenet-1k": "ImageNet-1k",
    "imagenet-21k": "ImageNet-21k",
    "self-supervised": "self-supervised",
    "clip": "image-text (CLIP)",
    "other": "other weights",
}
"""The tracks of clbench.nn.backbones.pretraining, which need torch, and how tables call them."""

# what records without a track tell by the tag of a timm name; the first match counts
_TAGS = (
    ("clip", "clip|laion|openai|siglip|datacomp|metaclip|dfn|webli"),
    ("imagenet-21k", "in21k|in22k|in12k|_21k"),
    ("self-supervised", "dino|lvd|moco|byol|swav|simclr|ssl|mae"),
    ("imagenet-1k", "in1k|imagenet"),
)


def track(train: Mapping[str, Any], *, recorded: str = "") -> str:
    """Return the track of a recipe: what its `track` says, else what was `recorded`, else what its weights tell."""
    said = str(train.get("track") or recorded)
    return SHOWN.get(said, said) if said else SHOWN[_guess(train)]


def saw_coco(train: Mapping[str, Any]) -> bool:
    """Return whether the recipe names weights that were trained on COCO's labels."""
    named = f"{train.get('weights', '')} {train.get('track', '')} {str(train.get('backbone', '')).partition('.')[2]}"
    return "coco" in named.lower()


def _guess(train: Mapping[str, Any]) -> str:
    weights, tag = str(train.get("weights", "")), str(train.get("backbone", "")).partition(".")[2]
    if not weights:
        return "none"
    if weights == "stand-in":
        return weights
    source = tag if weights == "hub" else weights.lower()
    return next((name for name, signs in _TAGS if re.search(signs, source)), "other")
