"""The recipe that a run trains by: what is said last counts, and everything said is known by where it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clbench.errors import DataError, UsageError
from clbench.files.yaml_text import convert
from clbench.plan.plan import DEFAULT
from clbench.plan.set_option import COMMAND_LINE, Settings
from clbench.plan.source import STAND_IN, DataSource
from clbench.spec.scenario import ScenarioSpec, TrainSpec
from clbench.weights.resolve import Weights, resolve

SMALL = "clbench_small"
"""The backbone that is always there."""
SMALLEST = 2
"""Pixels of a picture's side; torch's resizing breaks at a single one."""
OF_FEATURES: dict[str, Any] = {"backbone": "none", "augment": "none", "track": "other", "image_size": 1}
"""The recipe's defaults where stored features stand in place of pictures."""


def recipe(
    spec: ScenarioSpec,
    raw: Mapping[str, Any],
    source: DataSource,
    settings: Settings,
    *,
    where: str,
    bound: bool,
    read_only: bool,
) -> tuple[dict[str, str], TrainSpec, tuple[str, ...], Weights]:
    """Return (origins, recipe, fields that --set changed, weights): defaults < scenario < stand-in < bound < --set.

    `bound`: the recipe is that of strategies which see the whole stream at once.
    """
    values: dict[str, Any] = msgspec.to_builtins(spec.train)
    features = source.options.get("features", "")
    if features:
        values |= {name: value for name, value in OF_FEATURES.items() if name not in (raw.get("train") or {})}
    origins = {f"train.{name}": where for name in raw.get("train") or {}}
    if source.stand_in and spec.stand_in is not None:
        values |= spec.stand_in.train
        origins |= {f"train.{name}": f"{where}: {STAND_IN}" for name in spec.stand_in.train}
    if bound:
        values |= (layer := bound_values(spec, stand_in=source.stand_in))
        origins |= {f"train.{name}": f"{where}: bound" for name in layer}
    before = msgspec.to_builtins(convert(values, TrainSpec, source=where))
    after = before | {name: msgspec.to_builtins(value) for name, (value, _) in settings.train.items()}
    origins |= {f"train.{name}": f"{COMMAND_LINE} {text}" for name, (_, text) in settings.train.items()}
    train = convert(after, TrainSpec, source=COMMAND_LINE)
    if train.image_size < SMALLEST and not features:
        raise UsageError(
            f"{origins.get('train.image_size', DEFAULT)}: train.image_size is {train.image_size}, expected at least "
            f"{SMALLEST} pixels.",
            hint="Published recipes have 224 or 448; clbench_small takes 32 and more.",
        )
    if features or train.backbone == "none":
        _check_features(train, features, origins)
    elif train.backbone != SMALL:
        from clbench.nn.backbones.by_name import check_backbone

        check_backbone(train.backbone, where=origins.get("train.backbone", DEFAULT))
    if spec.online and train.epochs != 1:
        raise UsageError(f"--set train.epochs={train.epochs}: {spec.name} is online and makes one pass.")
    weights = _weights(train, read_only=read_only)
    changed = {name for name in after if after[name] != before[name]}
    if before["weights"] == weights.name:
        changed.discard("weights")  # another spelling of the same
    return origins, msgspec.structs.replace(train, weights=weights.name), tuple(sorted(changed)), weights


def bound_values(spec: ScenarioSpec, *, stand_in: bool) -> dict[str, Any]:
    """Return what of the recipe is another for strategies that see the whole stream at once."""
    return spec.bound | (spec.stand_in.bound if stand_in and spec.stand_in is not None else {})


def _weights(train: TrainSpec, *, read_only: bool) -> Weights:
    """Return the recipe's weights by their digest, before anything else is read; who only looks need not have them."""
    if train.backbone.startswith("clbench_"):  # own networks have none, which they say themselves
        return Weights(train.weights)
    try:
        return resolve(train.weights, backbone=train.backbone)
    except DataError:
        if read_only:
            return Weights(train.weights)
        raise


def _check_features(train: TrainSpec, features: str, origins: Mapping[str, str]) -> None:
    """Raise UsageError for a recipe that wants pictures of a table of features, or features of one of pictures."""
    if not features:
        raise UsageError(
            f"{origins.get('train.backbone', DEFAULT)}: train.backbone is 'none', and the data set has pictures.",
            hint="Features of your own: a label table with the option `features: x.npy`.",
        )
    for name, fits in (("backbone", "none"), ("weights", ""), ("augment", "none")):
        if getattr(train, name) != fits:
            raise UsageError(
                f"{origins.get(f'train.{name}', DEFAULT)}: train.{name} is '{getattr(train, name)}', and the data set "
                f"has features ({features}) in place of pictures.",
                hint=f"Leave it out, or write {name}: {fits or chr(39) * 2}.",
            )
