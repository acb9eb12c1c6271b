"""From a plan to the parts of a run: stream, pictures, network."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from clbench.data.datasets.registry import check_whole, is_path, read_table, tell_doubts
from clbench.data.features.feature_file import Features, find_features
from clbench.data.features.feature_rows import FeatureRows, map_shape
from clbench.data.importers.direct import shards_of
from clbench.data.pictures.sources import FolderImages, ImageSource, Progress, Rows, SceneImages, cached
from clbench.data.shards.shard_pictures import ShardPictures
from clbench.data.table import LabelTable, check_known
from clbench.errors import DataError, UsageError
from clbench.method.answers import check_built
from clbench.method.strategy import Strategy, as_seen_by
from clbench.nn.backbones.by_name import OWN, Backbone, build_backbone, check_stand_in, features_backbone
from clbench.plan.plan import Plan
from clbench.seeds import seed_torch
from clbench.spec.scenario import ScenarioSpec
from clbench.stream.build import build_stream, check_pins
from clbench.stream.stream import Stream
from clbench.stream.trial import TrainImages, trial_stream
from clbench.train.options import Kind
from clbench.train.stored_features import weights_digest
from clbench.weights.resolve import RANDOM, Weights, fetched
from clbench.weights.stand_in import STAND_IN


def make_stream(plan: Plan, strategy: Strategy) -> Stream:
    """Return the plan's stream as this strategy sees it, after checking that it is the pinned one."""
    return as_seen_by(strategy, plan_stream(plan))


def plan_backbone(plan: Plan) -> Backbone:
    """Return the backbone of the plan's recipe; its weights are drawn from torch's global generator, or read."""
    if features := plan_features(plan):
        return features_backbone(map_shape(features))
    return build_backbone(
        plan.train.backbone,
        image_size=plan.train.image_size,
        weights=plan.weights,
        normalize=plan.train.normalize,
        channels_last=plan.train.channels_last,
    )


def bare_backbone(plan: Plan) -> Backbone:
    """Return the backbone of the plan's recipe as `plan_backbone` does, whatever its weights are: none is read.

    Raises what `plan_backbone` raises, but for what is wrong with a weights file.
    """
    if plan_features(plan):
        return plan_backbone(plan)
    weights = plan.weights
    if weights.name == STAND_IN:
        check_stand_in(plan.train.backbone)
    # a name without a file is refused by networks that have no weights, before they look for one
    unknown = plan.train.backbone in OWN and weights.name not in ("", STAND_IN) and weights.path is None
    return plan_backbone(dataclasses.replace(plan, weights=weights if unknown else RANDOM))


def plan_weights(plan: Plan, *, progress: Progress | None = None) -> Weights:
    """Return the plan's weights, those of the hub fetched and the stand-in's made where they are not here yet."""
    if plan.weights.name != STAND_IN:
        return fetched(plan.weights, backbone=plan.train.backbone)
    from clbench.pretrain.stand_in import stand_in_weights

    return stand_in_weights(plan.train.backbone, progress=progress)


def plan_features(plan: Plan) -> Features | None:
    """Return the features that stand in place of the plan's pictures, or None."""
    named = plan.options.get("features", "")
    if not named:
        return None
    assert plan.root is not None
    return find_features(plan.root, named, name=Path(plan.dataset).stem)


def plan_stream(plan: Plan, *, warn: bool = True) -> Stream:
    """Return the stream that the plan's scenario makes of its data; that of a trial has no test images.

    One that was built to look at the plan beforehand, and kept, is not built again. With `warn` what is doubtful in a
    table of the user's is told.
    """
    kept: Stream | None = plan.kept_stream()
    table = read_table(plan.dataset, root=plan.root, options=plan.options) if kept is None else kept.table
    if warn:
        tell_doubts(table, plan.dataset)
    if kept is not None:
        return kept
    stream = build_stream(table, plan.scenario)
    if not (plan.unpinned or _is_pinned(stream, plan)):
        check_whole(table, plan.dataset, options=plan.options)
    if plan.trial is not None:
        return trial_stream(table, plan.scenario, plan.trial)
    if is_path(plan.dataset):
        check_known(table, np.isin(table.labels, stream.labels))
    return stream


def stream_key(plan: Plan) -> object:
    """Return what plans have in common whose `plan_stream` is the same."""
    options = tuple(plan.options.items())
    return plan.scenario_path, plan.order, plan.dataset, plan.root, options, plan.unpinned, plan.trial


def _is_pinned(stream: Stream, plan: Plan) -> bool:
    """Return whether the plan's stream, or the data that it is cut from, are pinned.

    Raises DataError where either is not the pinned one. The pins of the scenario's own order say more of what differs.
    """
    try:
        found = _has_pins(stream, plan.scenario, plan)
    except DataError:
        if plan.own is not None:
            _has_pins(build_stream(stream.table, plan.own), plan.own, plan)
        raise
    if found or plan.own is None:
        return found
    return _has_pins(build_stream(stream.table, plan.own), plan.own, plan)


def _has_pins(stream: Stream, spec: ScenarioSpec, plan: Plan) -> bool:
    """Return whether the scenario has pins. Raises DataError where they are not those of `stream`."""
    if plan.stand_in and spec.stand_in is not None:
        spec = msgspec.structs.replace(spec, pins=spec.stand_in.pins)
    check_pins(stream, spec)
    return bool(spec.pins.images or spec.pins.labels)


def make_source(plan: Plan, table: LabelTable, *, cache: bool | None, progress: Progress | None = None) -> ImageSource:
    """Return where the plan's pictures come from, behind the cache where that is wanted or costs little."""
    size = plan.train.image_size
    buffer, lanes = int(plan.options.get("buffer", "0")), int(plan.options.get("lanes", "1"))
    if "lanes" in plan.options and not (buffer and lanes):
        raise UsageError(
            f"{table.name}: option lanes: {lanes} with a buffer of {buffer} images; "
            "expected 1 or more, beside a buffer.",
            hint='For example {buffer: "4096", lanes: "4"}: so many files take turns while the buffer is filled.',
        )
    if features := plan_features(plan):
        rows = FeatureRows(features, table, buffer=buffer, lanes=lanes)
        return rows if plan.trial is None else TrainImages(rows, table)
    shards = None if plan.root is None else shards_of(plan.dataset, root=plan.root, options=plan.options)
    if buffer and shards is None:
        raise UsageError(
            f"{table.name}: option buffer: pictures are read in any order.",
            hint="It goes with `features` or with `shards`.",
        )
    if table.name == "scenes":
        from clbench.data.scenes.scenes import known_scenes

        # the table was opened with the same options, so they are known to be whole numbers
        scenes = known_scenes(**{name: int(value) for name, value in plan.options.items()})
        made: ImageSource = SceneImages(scenes.render, size=size, native=scenes.size)
    elif shards is not None:
        made = ShardPictures(shards, table, size=size, buffer=buffer, lanes=lanes)
    else:
        assert plan.root is not None
        made = FolderImages(table, root=plan.root, size=size)
    # asked only where a cache may be made: looking at every file's size and time costs a second for COCO
    found = cached(
        made,
        key=lambda: f"{table.name}-{content_key(made, table)}",
        count=len(table),
        wanted=cache,
        progress=progress,
    )
    return found if plan.trial is None else TrainImages(found, table)


def content_key(source: ImageSource, table: LabelTable) -> str:
    """Return a short digest of the pixels a cache holds: files by path, size and time, generated pictures by a sample.

    A file that was replaced, or a generator that draws differently, makes another cache; none is trusted by its name.
    """
    from clbench.files.yaml_text import digest

    if isinstance(source, TrainImages):
        return content_key(source.source, table)
    if isinstance(source, FolderImages):
        files = [(source.root / path).stat() for path in table.paths.tolist() if (source.root / path).exists()]
        held = [[file.st_size, file.st_mtime_ns] for file in files]
        # the number goes up when a rule of `clbench.data.pictures.pixels` changes
        return digest([2, str(source.root.resolve()), table.paths.tolist(), held])[:16]
    if isinstance(source, ShardPictures):
        return digest([2, "shards", source.shards.stamp, table.paths.tolist()])[:16]
    if isinstance(source, SceneImages):
        pixels = _drawn(source.render, size=source.size, native=source.native, count=len(table))
    else:
        pixels = _sampled(source, len(table))
    return digest([table.revision, table.paths.tolist(), pixels])[:16]


@functools.lru_cache(maxsize=4)
def _drawn(render: Callable[[Rows], npt.NDArray[np.uint8]], *, size: int, native: int, count: int) -> str:
    """Return the digest of a sample that is drawn once in a process: the generator cannot change while it runs."""
    return _sampled(SceneImages(render, size=size, native=native), count)


def _sampled(source: ImageSource, count: int) -> str:
    sample = np.unique(np.linspace(0, count - 1, 16).astype(np.int64))
    return hashlib.sha256(source.read(sample).numpy().tobytes()).hexdigest()


def build_network(
    plan: Plan,
    strategy: Strategy,
    stream: Stream,
    device: torch.device,
    *,
    backbone: Callable[[Plan], Backbone] = plan_backbone,
) -> dict[str, str]:
    """Build the strategy's network on the device, its weights a function of the seed alone.

    Return which pretrained weights were read, as a record's `environment` has them; nothing for random ones.
    """
    seed_torch(plan.seed, "weights")
    body = backbone(plan)
    sha256 = plan.weights.sha256
    read = {"weights_sha256": sha256, "weights_tensors": weights_digest(body)} if sha256 else {}
    seed_torch(plan.seed, "build")
    strategy.build(body, stream.labels)
    check_built(strategy)
    strategy.to(device)
    return read


def check_uses(backbone: Backbone, strategy: Strategy, *, name: str, freeze: str) -> None:
    """Raise UsageError where a strategy shares no weight with the backbone that `train.freeze` is to stand still."""
    used = {id(parameter) for parameter in strategy.parameters()}
    given = list(backbone.parameters())
    if given and not any(id(parameter) in used for parameter in given):
        raise UsageError(
            f"{name}: train.freeze is '{freeze}', and {type(strategy).__name__} does not use the backbone that it was "
            "given.",
            hint="`build` makes its network of the backbone it is handed, or run it with --set train.freeze=none.",
        )


def check_stored(plan: Plan, *, kind: Kind) -> None:
    """Raise UsageError where features are to be stored of a data set that has them already."""
    if kind != "off" and plan.options.get("features"):
        raise UsageError(f"--features {kind}: the data set has features already.", hint="Run it without --features.")
