"""A run put together without weights and pictures, to see whether it can be."""

from __future__ import annotations

from contextlib import suppress

import torch

from clbench.method.answers import check_built
from clbench.method.lone_images import check_lone_image, lone_session
from clbench.method.strategy import Strategy, as_seen_by
from clbench.nn.backbones.by_name import OWN
from clbench.nn.shared.ranks import world
from clbench.plan.plan import Plan
from clbench.stream.stream import Stream
from clbench.train.make_record import check_recordable
from clbench.train.options import RunOptions
from clbench.train.prepare import bare_backbone, check_stored, check_uses, plan_stream, stream_key
from clbench.train.resume.structure import grown_again
from clbench.train.stored_features import check_applicable

Streams = dict[object, Stream]


def put_together(plan: Plan, options: RunOptions, *, streams: Streams) -> None:
    """Build the plan's stream, network and first session and drop them; raise what its run would raise by then.

    Networks other than the suite's own are built of tensors without memory; where a strategy cannot use those, its
    network is built as a run does it. `streams` keeps what plans of one scenario share.
    """
    key = stream_key(plan)
    if key not in streams:
        streams[key] = plan_stream(plan, warn=False)
    check_stored(plan, kind=options.features)
    with torch.random.fork_rng(devices=[]):
        if plan.train.backbone not in (*OWN, "none"):  # those are smaller than what tensors without memory import
            with suppress(Exception), torch.device("meta"):
                _build(plan, options, streams[key])
                return
        _build(plan, options, streams[key])


def _build(plan: Plan, options: RunOptions, stream: Stream) -> None:
    strategy = plan.new_strategy()
    seen = as_seen_by(strategy, stream)
    backbone = bare_backbone(plan)
    strategy.build(backbone, seen.labels)
    check_built(strategy)
    check_recordable(plan, strategy, seen)
    if options.features != "off":
        check_applicable(plan.train, strategy, kind=options.features)
    for _ in grown_again(strategy, seen.sessions[:1], seed=plan.seed, device=torch.empty(0).device):
        if plan.train.freeze == "backbone":
            check_uses(backbone, strategy, name=plan.title, freeze=plan.train.freeze)
        _check_lone_images(plan, strategy, seen)


def _check_lone_images(plan: Plan, strategy: Strategy, stream: Stream) -> None:
    """Raise the UsageError with which a run refuses a batch of one image; of features nobody knows the shape yet."""
    lone = lone_session(stream.sessions, strategy, batch_size=plan.train.batch_size)
    if lone is not None and plan.train.backbone != "none" and world() == 1:
        size = plan.train.image_size
        check_lone_image(strategy, torch.zeros(1, 3, size, size, dtype=torch.uint8), session=lone)
