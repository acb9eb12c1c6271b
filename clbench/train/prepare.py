"""From a plan to the parts of a run: strategy, stream, pictures."""

from __future__ import annotations

import dataclasses
import hashlib

import msgspec
import numpy as np
import torch

from clbench import PROTOCOL
from clbench.data.datasets.registry import open_table
from clbench.data.ids import by_id
from clbench.data.pictures.sources import FolderImages, ImageSource, Progress, SceneImages, cached
from clbench.data.table import LabelTable
from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import build_backbone
from clbench.plan import catalog
from clbench.plan.plan import Plan
from clbench.records.record import configuration_digest
from clbench.stream.build import Session, Stream, build_stream, check_pins
from clbench.stream.trial import TrainImages, trial_stream
from clbench.train.randomness import seed_torch


def make_strategy(plan: Plan) -> Strategy:
    """Return the plan's strategy with its fields set, not built yet. Raises UsageError."""
    kind = catalog.load_strategy(plan.entry)
    strategy = kind.configured(plan.fields, source=f"{plan.scenario.name}: {plan.entry.name}")
    strategy._train = plan.train
    strategy._seed = (plan.seed,)
    return strategy


def configuration(plan: Plan, strategy: Strategy) -> str:
    """Return the configuration digest of a run: everything chosen but the seed."""
    return configuration_digest(
        plan.entry.name,
        fields=strategy.values(),
        train=msgspec.to_builtins(plan.train),
        protocol=PROTOCOL,
        tuning=plan.tuning,
    )


def make_stream(plan: Plan, strategy: Strategy) -> Stream:
    """Return the plan's stream as this strategy sees it, after checking that it is the pinned one."""
    return as_seen_by(strategy, plan_stream(plan))


def plan_stream(plan: Plan) -> Stream:
    """Return the stream that the plan's scenario makes of its data; that of a trial has no test images."""
    table = open_table(plan.dataset, root=plan.root, options=plan.options)
    stream = build_stream(table, plan.scenario)
    spec = plan.scenario
    if plan.stand_in and spec.stand_in is not None:
        spec = msgspec.structs.replace(spec, pins=spec.stand_in.pins)
    if not plan.unpinned:
        check_pins(stream, spec)
    if plan.trial is not None:
        return trial_stream(table, plan.scenario, plan.trial)
    return stream


def as_seen_by(strategy: Strategy, stream: Stream) -> Stream:
    """Return the stream in the form that the strategy asks for: merged, accumulated, or as it is."""
    if strategy.static:
        return merged(stream)
    return accumulated(stream) if strategy.cumulative else stream


def merged(stream: Stream) -> Stream:
    """Return the stream as one session that shows every training image with all its labels: the joint upper bound."""
    rows = stream.table.rows("train")
    taken = np.isin(rows, np.concatenate([session.rows for session in stream.sessions]))
    rows = rows[taken]
    labels = len(stream.labels)
    only = Session(
        index=0,
        new=slice(0, labels),
        seen=labels,
        learned=labels,
        labels=stream.labels,
        rows=rows,
        targets=stream.truth(rows),
        test_rows=stream.test_rows,
    )
    return dataclasses.replace(stream, sessions=(only,))


def accumulated(stream: Stream) -> Stream:
    """Return the stream with each session holding the images of all sessions so far, their visible labels merged."""
    ordered = by_id(stream.table.ids)
    rank = np.empty_like(ordered)
    rank[ordered] = np.arange(len(ordered))
    held = np.empty(0, dtype=np.int64)  # ranks, so that images stay sorted by id
    known = np.empty((0, 0), dtype=np.int8)
    sessions = []
    for session in stream.sessions:
        given = rank[session.rows]
        union = np.union1d(held, given)
        targets = np.full((len(union), session.seen), -1, dtype=np.int8)
        targets[np.searchsorted(union, held), : known.shape[1]] = known
        places = np.searchsorted(union, given)
        targets[places] = np.maximum(targets[places], session.targets)  # unknown < negative < positive
        held, known = union, targets
        sessions.append(dataclasses.replace(session, rows=ordered[union], targets=targets))
    return dataclasses.replace(stream, sessions=tuple(sessions))


def make_source(plan: Plan, table: LabelTable, *, cache: bool | None, progress: Progress | None = None) -> ImageSource:
    """Return where the plan's pictures come from, behind the cache where that is wanted or costs little."""
    size = plan.train.image_size
    if table.name == "scenes":
        from clbench.data.scenes.scenes import Scenes

        # the table was opened with the same options, so they are known to be whole numbers
        scenes = Scenes(**{name: int(value) for name, value in plan.options.items()})
        made: ImageSource = SceneImages(scenes.render, size=size, native=scenes.size)
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
    from clbench.spec.scenario import digest

    if isinstance(source, TrainImages):
        return content_key(source.source, table)
    if isinstance(source, FolderImages):
        files = [(source.root / path).stat() for path in table.paths.tolist() if (source.root / path).exists()]
        held = [[file.st_size, file.st_mtime_ns] for file in files]
        return digest([str(source.root.resolve()), table.paths.tolist(), held])[:16]
    sample = np.unique(np.linspace(0, len(table) - 1, 16).astype(np.int64))
    pixels = hashlib.sha256(source.read(sample).numpy().tobytes()).hexdigest()
    return digest([table.revision, table.paths.tolist(), pixels])[:16]


def build_network(plan: Plan, strategy: Strategy, stream: Stream, device: torch.device) -> None:
    """Build the strategy's network on the device, its weights a function of the seed alone."""
    seed_torch(plan.seed, "weights")
    backbone = build_backbone(
        plan.train.backbone,
        image_size=plan.train.image_size,
        weights=plan.train.weights,
        normalize=plan.train.normalize,
        channels_last=plan.train.channels_last,
    )
    seed_torch(plan.seed, "build")
    strategy.build(backbone, stream.labels)
    strategy.to(device)
