"""Backbones: uint8 images in, a feature map out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from clbench.errors import DataError, UsageError, suggest
from clbench.nn.backbones.pretraining import TRACKS, pretraining_track
from clbench.nn.backbones.weights import load_weights
from clbench.weights.hub import HUB
from clbench.weights.known_files import sha256_of
from clbench.weights.packages import PREFIX
from clbench.weights.resolve import Weights, fetched, resolve
from clbench.weights.stand_in import STAND_IN

__all__ = ["OWN", "SMALL", "SMALL_VIT", "TRACKS", "Backbone", "build_backbone", "pretraining_track"]

SMALL, SMALL_VIT = OWN = ("clbench_small", "clbench_vit")
"""The small networks for the embedded stand-in, a convolutional one and a transformer; they have no weights."""


@dataclass(frozen=True)
class Given:
    """How stored maps come in: one map as it is, or those of several stages end to end, [B, sum of c * h * w]."""

    shapes: tuple[tuple[int, ...], ...]
    """(c, h, w) of every stage, shallow to deep."""
    channels_last: tuple[bool, ...]
    """Whether the backbone gives a stage in this memory layout: sums over positions run in the order of memory."""

    def maps(self, stored: Tensor) -> list[Tensor]:
        """Return the maps [B, c, h, w] of every stage."""
        if stored.ndim == 4:
            return [self.last(stored)]
        parts = torch.split(stored, [math.prod(shape) for shape in self.shapes], dim=1)
        return [
            in_layout(part.reshape(-1, *shape), channels_last=last)
            for part, shape, last in zip(parts, self.shapes, self.channels_last, strict=True)
        ]

    def last(self, stored: Tensor) -> Tensor:
        """Return the map [B, c, h, w] of the last stage, without the work that the earlier ones take."""
        if stored.ndim != 4:
            stored = stored[:, -math.prod(self.shapes[-1]) :].reshape(-1, *self.shapes[-1])
        return in_layout(stored, channels_last=self.channels_last[-1])


def in_layout(maps: Tensor, *, channels_last: bool) -> Tensor:
    """Return maps [B, c, h, w] in the named memory layout."""
    return maps.contiguous(memory_format=torch.channels_last) if channels_last else maps.contiguous()


class Backbone(nn.Module):
    """Turns images into a feature map [B, width, h, w].

    uint8 images are normalised inside, (x / 255 - mean) / std; float images are taken as normalised already.
    `stride` is how many pixels one position of the map stands for, `positions` how many the map of an image has (0: not
    known). Tokens of transformers are laid out as a map.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor
    given: Given | None = None
    """What comes in instead of images: maps that were stored when they were first computed."""

    def __init__(
        self,
        body: nn.Module,
        *,
        width: int,
        stride: int,
        positions: int = 0,
        mean: tuple[float, ...] = (0.0, 0.0, 0.0),
        std: tuple[float, ...] = (1.0, 1.0, 1.0),
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.width = width
        self.stride = stride
        self.positions = positions
        self.channels_last = channels_last
        self.body = body.to(memory_format=torch.channels_last) if channels_last else body
        m, s = torch.tensor(mean).view(1, 3, 1, 1), torch.tensor(std).view(1, 3, 1, 1)
        for name, value in (("mean", m), ("std", s), ("scale", 1 / (255 * s)), ("shift", -m / s)):
            self.register_buffer(name, value, persistent=False)

    def normalise(self, images: Tensor) -> Tensor:
        """Return float images as the network takes them; float images are returned as they are."""
        if self.channels_last:
            # while a pixel is still one byte
            images = images.contiguous(memory_format=torch.channels_last)
        if images.dtype == torch.uint8:
            images = torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map [B, width, h, w] of images [B, 3, H, W]."""
        if self.given is not None:
            return self.given.last(images)
        features: Tensor = self.body(self.normalise(images))
        return features

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the maps of the intermediate stages, shallow to deep; the last one is `forward`'s.

        Each is [B, c, h, w]. Raises UsageError where the last one alone is stored.
        """
        if self.given is not None:
            if len(self.given.shapes) == 1:
                raise UsageError(
                    "the strategy looks at the stages of the backbone, of which the last alone is stored.",
                    hint="Run it with --features stages.",
                )
            return self.given.maps(images)
        stages: list[Tensor] = self.body.stages(self.normalise(images))  # type: ignore[operator]
        return stages


class TimmBody(nn.Module):
    """A timm model without its classifier, whatever its layout, as a source of feature maps."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.tokens = hasattr(model, "num_prefix_tokens")
        self.channels_end = getattr(model, "output_fmt", "") == "NHWC"

    def _as_map(self, features: Tensor) -> Tensor:
        if features.ndim == 3:
            grid = self.model.patch_embed.grid_size
            patches = features[:, self.model.num_prefix_tokens :].transpose(1, 2)
            return patches.reshape(patches.shape[0], -1, *grid)
        return features.permute(0, 3, 1, 2) if self.channels_end else features

    def forward(self, images: Tensor) -> Tensor:
        """Return the feature map. [B, 3, H, W] becomes [B, width, h, w]."""
        return self._as_map(self.model.forward_features(images))

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the maps of all stages, the final one last. Each is [B, c, h, w]."""
        final, maps = self.model.forward_intermediates(images)
        last = self._as_map(final)
        stages: list[Tensor] = list(maps)
        # the final map is the last stage after its norm, or one convolution further on
        return [*(stages[:-1] if stages[-1].shape == last.shape else stages), last]


class GivenFeatures(nn.Module):
    """What stands where a backbone's layers would when a data set has features: nothing."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the maps [B, c, h, w] as they are."""
        return features

    def stages(self, features: Tensor) -> list[Tensor]:
        """Raise UsageError: there is one map [B, c, h, w] and no way to it."""
        raise UsageError(
            "the strategy or its head reads the stages of a backbone, and the data set has features.",
            hint="Take a head that reads one map, such as head=linear, or a strategy that does, such as ridge or er.",
        )


def features_backbone(shape: tuple[int, int, int]) -> Backbone:
    """Return a backbone without layers or weights, for features that come in as maps of `shape` (c, h, w)."""
    return Backbone(GivenFeatures(), width=shape[0], stride=1, positions=shape[1] * shape[2])


def build_backbone(
    name: str,
    *,
    image_size: int,
    weights: str | Weights = "",
    normalize: bool = True,
    channels_last: bool = True,
    allow_coco: bool = False,
) -> Backbone:
    """Return the backbone `name`: a timm model, `clbench_small` or `clbench_vit`.

    `weights` is empty for random weights, a local weights file, `package:<name>` for a package that carries them,
    `sha256:<digest>` for a file known by it, `hub` for what timm's hub publishes, the only one that uses the network,
    or what was found for one of these; `clbench_vit` has the stand-in's. `normalize` False feeds pixels in [0, 1];
    `channels_last` is used for convolutional networks only. Weights that have seen COCO's labels are refused unless
    `allow_coco`.
    """
    if name in OWN:
        found = weights if isinstance(weights, Weights) else Weights(weights)
        return _own(name, found, image_size=image_size, normalize=normalize, channels_last=channels_last)
    check_backbone(name)
    found = fetched(weights if isinstance(weights, Weights) else resolve(weights, backbone=name), backbone=name)
    _check_unchanged(found)
    model = _create(name, image_size=image_size, published=found.path if found.name == HUB else None)
    config = model.pretrained_cfg
    if found.path is not None and found.name != HUB:
        classifier = config.get("classifier") or ()
        load_weights(
            model,
            found.path,
            name=name,
            in_order=found.name.startswith(PREFIX),
            classifier=(classifier,) if isinstance(classifier, str) else tuple(classifier),
            allow_coco=allow_coco,
        )
    body = TimmBody(model)
    width, h, w = _probed(body, name=name, image_size=image_size)
    return Backbone(
        body,
        width=width,
        stride=image_size // h,
        positions=h * w,
        mean=tuple(config["mean"]) if normalize else (0.0, 0.0, 0.0),
        std=tuple(config["std"]) if normalize else (1.0, 1.0, 1.0),
        channels_last=channels_last and not body.tokens and not body.channels_end,
    )


def check_backbone(name: str, *, where: str = "") -> None:
    """Raise UsageError unless `build_backbone` knows the name; `where` says in the message what names it."""
    if name in OWN:
        return
    from clbench.imports.models import timm

    if not timm.is_model(name):
        raise UsageError(
            f"{where and f'{where}: '}train.backbone '{name}' is not a timm model."
            f"{suggest(name, [*OWN, *timm.list_models()])}",
            hint="timm.list_models() names them all.",
        )


def _check_unchanged(found: Weights) -> None:
    if found.path is not None and sha256_of(found.path) != found.sha256:
        raise DataError(
            f"train.weights: {found.path} was changed since the run was planned.", hint="Run the command again."
        )


def _create(name: str, *, image_size: int, published: Path | None) -> Any:
    from clbench.imports.models import timm

    config = timm.get_pretrained_cfg(name)
    given: dict[str, Any] = {"img_size": image_size} if config and config.fixed_input_size else {}
    if published is not None:
        given |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(published)}}
    try:
        model = timm.create_model(name, num_classes=0, **given)
    except Exception as error:
        if published is not None:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise DataError(f"train.weights: {published} does not fit backbone '{name}' ({reason}).") from error
        raise _misfit(name, image_size, error) from error
    if not hasattr(model, "forward_intermediates"):
        raise UsageError(
            f"train.backbone '{name}' offers no intermediate maps in timm.", hint="Choose another architecture."
        )
    return model


def _misfit(name: str, image_size: int, error: Exception) -> UsageError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return UsageError(
        f"train.backbone '{name}' cannot be used with image_size {image_size} ({reason}).",
        hint="Transformers need an image size that their patches and windows divide.",
    )


@torch.no_grad()
def _probed(body: nn.Module, *, name: str, image_size: int) -> tuple[int, int, int]:
    """Return (channels, h, w) of the map that one black image gives: many models fail only when they run."""
    body.eval()
    try:
        features = body(torch.zeros(1, 3, image_size, image_size))
        width, h, w = (int(size) for size in features.shape[1:])
    except Exception as error:
        raise _misfit(name, image_size, error) from error
    finally:
        body.train()
    return width, h, w


def check_stand_in(name: str) -> None:
    """Raise UsageError unless the stand-in for pretraining has weights for the backbone `name`."""
    if name != SMALL_VIT:
        raise UsageError(
            f"train.weights is '{STAND_IN}', but it has weights for '{SMALL_VIT}' alone, not for '{name}'.",
            hint=f"Set train.backbone={SMALL_VIT}, or leave train.weights empty.",
        )


def _own(name: str, weights: Weights, *, image_size: int, normalize: bool, channels_last: bool) -> Backbone:
    if weights.name == STAND_IN:
        check_stand_in(name)
    if weights.name and weights.path is None:
        hint = f"Leave train.weights empty{f', or {STAND_IN} in a run' if name == SMALL_VIT else ''}."
        raise UsageError(f"train.weights is '{weights.name}', but '{name}' has none of that name.", hint=hint)
    body: nn.Module
    if name == SMALL:
        from clbench.nn.backbones.small import SmallConvNet

        body = SmallConvNet()
    else:
        from clbench.nn.backbones.small_vit import small_vit

        model = small_vit(image_size=image_size)
        if weights.path is not None:
            _check_unchanged(weights)
            load_weights(model, weights.path, name=name)
        body = TimmBody(model)
    width, h, w = _probed(body, name=name, image_size=image_size)
    centre = (0.5, 0.5, 0.5) if normalize else (0.0, 0.0, 0.0)
    spread = (0.5, 0.5, 0.5) if normalize else (1.0, 1.0, 1.0)
    return Backbone(
        body,
        width=width,
        stride=image_size // h,
        positions=h * w,
        mean=centre,
        std=spread,
        channels_last=channels_last and name == SMALL,
    )
