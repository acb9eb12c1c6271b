"""From the progress of a finished run to its record."""

from __future__ import annotations

import datetime
import logging
import math
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch

import clbench
from clbench.data.datasets.registry import is_path
from clbench.errors import ClbenchError, ResultsError, RunError, UsageError
from clbench.method.replay import draws
from clbench.method.strategy import LEAK, Strategy
from clbench.metrics.of_parts import STREAMED, in_points
from clbench.metrics.summary import summarize
from clbench.metrics.thresholds import Thresholds
from clbench.nn.backbones.by_name import Backbone
from clbench.nn.backbones.pretraining import pretraining_track
from clbench.nn.heads.network import Network
from clbench.nn.shared.ranks import world
from clbench.plan.load_strategy import digest_read
from clbench.plan.plan import Plan
from clbench.records.record import Record, as_rows, check_section
from clbench.records.schema import (
    ApPart,
    CostPart,
    CountsPart,
    DataPart,
    OrderPart,
    ScenarioPart,
    ScorePart,
    SessionPart,
    SessionTimes,
    StrategyPart,
    StreamPart,
    ThresholdsPart,
    TimesPart,
    TuningPart,
)
from clbench.stream.stream import Stream
from clbench.train.environment import code, describe
from clbench.train.resume.progress import Done, Progress

log = logging.getLogger(__name__)

UNKNOWN_MARKS = "marks-unknown"
"""The mark of a run whose strategy told marks at the end that no record can hold."""
T = TypeVar("T")


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def marks(plan: Plan, own: Sequence[str], *, dirty: bool | None, leaked: bool, streamed: bool = False) -> list[str]:
    """Return what a reader must know before believing the row.

    `own`: what the strategy says; `leaked`: hidden labels were handed out; `streamed`: AP are estimates with a bound.
    """
    found = {
        "stand-in": plan.stand_in,
        "local-strategy": plan.entry.origin != "shipped",
        "local-scenario": plan.scenario_origin != "shipped",
        "unpinned": plan.unpinned,
        "dirty": dirty is True,
        "dirty-unknown": dirty is None,
        "changed-train": bool(plan.changed_train),
        "trial": plan.trial is not None,
        LEAK: leaked,
        STREAMED: streamed,
    }
    shared = {f"world-{world()}"} if world() > 1 else set()
    return sorted({name for name, holds in found.items() if holds} | shared | set(own))


def _own_marks(plan: Plan, strategy: Strategy) -> list[str]:
    found: Any = strategy.marks()
    if not isinstance(found, (list, tuple, set)) or not all(isinstance(mark, str) for mark in found):
        raise RunError(
            f"{plan.entry.path}: marks() returns {found!r}, expected a list of words.",
            hint='For example ["upper-bound"].',
        )
    return list(found)


def _remarks(plan: Plan, strategy: Strategy) -> dict[str, str]:
    found: Any = strategy.notes()
    if not isinstance(found, dict):
        raise RunError(
            f"{plan.entry.path}: notes() returns a {type(found).__name__}, expected a mapping of text to text.",
            hint='For example {"rows": "60 52"}.',
        )
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise RunError(
                f"{plan.entry.path}: notes() has {name!r}: {value!r}, expected text for both.",
                hint="str() or json.dumps() makes text of other values.",
            )
    return found


def check_fields(plan: Plan, strategy: Strategy, known: Mapping[str, Any], *, session: int) -> None:
    """Raise RunError where a strategy's fields are no longer those that the record will tell."""
    told: StrategyPart = known["strategy"]
    try:
        found = strategy.values()
    except (TypeError, ValueError) as error:
        found = {"fields": str(error)}
    changed = [name for name in told.fields if name not in found or found[name] != told.fields[name]]
    if changed:
        name = changed[0]
        raise RunError(
            f"{plan.title}: {plan.entry.path}: the field {name} was {told.fields[name]!r} and is "
            f"{ascii(found.get(name))[:100]} after session {session}.",
            hint="A record tells fields as they were set; keep what changes in an attribute of another name.",
        )


def _told_last(plan: Plan, strategy: Strategy) -> tuple[list[str], dict[str, str]]:
    """Return the marks and notes that a strategy tells at the end.

    What no record can hold is left out, and a note says so: no training is thrown away for a remark. Where marks are
    lost, that is a mark.
    """
    lost: dict[str, str] = {}
    own = _kept_or_lost("marks", partial(_own_marks, plan, strategy), lost, title=plan.title)
    remarks = _kept_or_lost("notes", partial(_remarks, plan, strategy), lost, title=plan.title)
    return [UNKNOWN_MARKS] if own is None else own, (remarks or {}) | lost


def _kept_or_lost(section: str, tell: Callable[[], T], lost: dict[str, str], *, title: str) -> T | None:
    try:
        found = tell()
        check_section(section, found)
    except Exception as error:  # a verb raises whatever it likes
        text = ascii((str(error) or type(error).__name__).splitlines()[0])[1:-1][:200]
        log.warning("%s: what %s() says at the end cannot be recorded and is left out: %s", title, section, text)
        lost[f"{section}() left out"] = text
        return None
    return found


def notes_of(done: Sequence[Done], strategy: Strategy) -> dict[str, str]:
    """Return as notes for the record the angles of all sessions and how many positions the head has to choose from.

    The positions are those of the map that the backbone makes of an image, also where stored features were pooled.
    """
    notes = {}
    if not all(math.isnan(session.angle) for session in done):
        notes["angle"] = " ".join("-" if math.isnan(session.angle) else f"{session.angle:.1f}" for session in done)
    bounds = [session.bound for session in done if session.bound is not None]
    if bounds:
        notes["ap"] = (
            f"from histograms where scores were too many, each within {in_points(max(bounds))} of the exact one"
        )
    net = getattr(strategy, "net", None)
    if isinstance(net, Network) and isinstance(net.backbone, Backbone) and net.backbone.positions:
        notes["positions"] = str(net.backbone.positions)
    return notes


def _built_in(strategy: Strategy) -> dict[str, str]:
    """Return as notes which parts are Avalanche's own."""
    return {
        type(plugin).__name__: "Avalanche built-in"
        for plugin in strategy.plugins()
        if type(plugin).__module__.startswith("avalanche.")
    }


def known_before(plan: Plan, strategy: Strategy, stream: Stream) -> dict[str, Any]:
    """Return the sections of the record that do not wait for a session."""
    digest = stream.digest()
    return {
        "scenario": ScenarioPart(
            name=plan.scenario.name,
            version=plan.scenario.version,
            title=plan.scenario.title,
            digest=plan.scenario.digest(),
            dataset=stream.table.name if is_path(plan.dataset) else plan.dataset,
            stand_in=plan.stand_in,
            local=plan.scenario_origin != "shipped",
            order=msgspec.UNSET if plan.own is None else OrderPart(name=plan.order, scenario=plan.own.digest()),
            sessions=[
                SessionPart(
                    labels=list(stream.labels[session.new]),
                    train_images=len(session.rows),
                    test_images=len(session.test_rows),
                )
                for session in stream.sessions
            ],
            stream=StreamPart(images=digest.images, labels=digest.labels),
            data=DataPart(name=stream.table.name, revision=stream.table.revision, digest=stream.table.digest()),
        ),
        "strategy": StrategyPart(
            name=plan.entry.name,
            title=plan.entry.title,
            origin=plan.entry.origin,
            sha256=digest_read(plan.entry),
            head=strategy.head,
            fields=strategy.values(),
            changed=strategy.changed(),
            draws=draws(strategy),
        ),
        "train": msgspec.to_builtins(plan.train),
        "tuning": msgspec.UNSET if plan.tuning is None else msgspec.convert(plan.tuning, TuningPart),
        "labels": list(stream.labels),
    }


def _with_photos(sections: dict[str, Any], photos: str) -> dict[str, Any]:
    about: ScenarioPart = sections["scenario"]
    data = msgspec.structs.replace(about.data, photos=photos or msgspec.UNSET)
    return sections | {"scenario": msgspec.structs.replace(about, data=data)}


def check_recordable(plan: Plan, strategy: Strategy, stream: Stream) -> dict[str, Any]:
    """Return `known_before`, whatever the strategy says of itself later.

    Raises UsageError where a record could not hold it, or what verbs tell now.
    """
    told: dict[str, Any] = {"marks": marks(plan, _own_marks(plan, strategy), dirty=False, leaked=False)}
    try:
        told["notes"] = _remarks(plan, strategy)
    except ClbenchError:
        raise
    except Exception:  # remarks may be of what is not there yet
        log.debug("%s: no notes before the first session", plan.title, exc_info=True)
    known = known_before(plan, strategy, stream)
    for name, value in (known | told).items():
        try:
            check_section(name, value)
        except ResultsError as error:
            raise UsageError(
                f"{plan.title}: no record could hold this run: {error.message}",
                hint="Change it before anything is trained. docs/record.schema.json says what a record holds.",
            ) from error
    return known


def _thresholds(chosen: Sequence[Thresholds | None], *, labels: int) -> ThresholdsPart | msgspec.UnsetType:
    """Return what validation images chose, absent unless they did so after every session."""
    known = [one for one in chosen if one is not None]
    if len(known) < len(chosen):  # none held out; or a state of an older version was gone on with
        return msgspec.UNSET
    return ThresholdsPart(
        images=[one.images for one in known],
        each=[[*one.each, *[None] * (labels - len(one.each))] for one in known],
        one=[one.one for one in known],
    )


def make_record(
    plan: Plan,
    strategy: Strategy,
    stream: Stream,
    progress: Progress,
    *,
    known: dict[str, Any],
    device: torch.device,
    threads: int,
    pretrained: Mapping[str, str],
    photos: str,
) -> Record:
    """Return the run's record, not sealed yet.

    `known` is what `check_recordable` found before the first session. `pretrained` says which weights its backbone
    began with, `photos` is the digest of the pictures that it began with.
    """
    learned = np.zeros(len(stream.labels), dtype=np.int64)
    for session in stream.sessions:
        learned[session.new] = session.index
    growing = as_rows([done.growing for done in progress.done])
    fixed = as_rows([done.fixed for done in progress.done])
    counts: dict[str, Any] = {
        rule: {part: [done.counts[rule][part] for done in progress.done] for part in ("tp", "fp", "fn")}
        for rule in progress.done[0].counts
    }
    chosen = [done.chosen for done in progress.done]
    built = code()
    own, remarks = _told_last(plan, strategy)
    return Record(
        protocol=plan.protocol,
        clbench=clbench.__version__,
        **_with_photos(known, photos),
        configuration=plan.configuration,
        seed=plan.seed,
        learned=learned.tolist(),
        ap=ApPart(growing=growing, fixed=fixed),
        counts={rule: CountsPart(**parts) for rule, parts in counts.items()},
        thresholds=_thresholds(chosen, labels=len(stream.labels)),
        costs=[CostPart(session=i, **done.cost) for i, done in enumerate(progress.done)],
        summary=summarize(
            np.array([done.growing for done in progress.done]),
            np.array([done.fixed for done in progress.done]),
            counts,
            learned,
        ),
        marks=marks(
            plan,
            own,
            dirty=built.dirty,
            leaked=progress.leaked,
            streamed=any(done.bound is not None for done in progress.done),
        ),
        notes={**_built_in(strategy), **notes_of(progress.done, strategy), **remarks},
        environment={
            **describe(device, threads=threads, pictures=not plan.options.get("features")),
            **pretrained,
            **({"optuna_of_trials": plan.suggested_by} if plan.suggested_by else {}),
            "pretraining": plan.train.track or pretraining_track(plan.train.backbone, weights=plan.weights.name),
        },
        code=built,
        scores=[ScorePart(**done.scores) for done in progress.done if done.scores],
        times=TimesPart(
            started=progress.started,
            finished=now(),
            host=socket.gethostname(),
            sessions=[SessionTimes(**done.times) for done in progress.done],
            total_seconds=progress.total_seconds,
        ),
    )
