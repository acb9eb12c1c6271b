"""What must hold inside one record: shapes, ranges, marks, and every number that follows from another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from clbench.errors import DataError
from clbench.files.yaml_text import digest
from clbench.metrics.summary import summarize
from clbench.metrics.thresholds import EACH, ONE
from clbench.plan.identity import configuration_digest
from clbench.records.json_paths import join
from clbench.records.orders import order_of, own_digest
from clbench.records.record import Record, tuning_of
from clbench.records.rows import required_marks
from clbench.records.verify.findings import Finding
from clbench.spec.orders import is_order, sorted_labels
from clbench.stream.budget import UNTOLD_DRAWS, most_seen, most_stored

TOLERANCE = 1e-12
"""How far a recomputed fraction may be from the stored one; sums are rounded once, so this is generous."""


_KINDS = ("tp", "fp", "fn")


@dataclass(frozen=True)
class _Arrays:
    """A record's tables as arrays, NaN where they are null."""

    learned: npt.NDArray[np.int64]
    growing: npt.NDArray[np.float64]
    fixed: npt.NDArray[np.float64]
    counts: dict[str, dict[str, npt.NDArray[np.float64]]]

    @cached_property
    def seen(self) -> npt.NDArray[np.bool_]:
        """[sessions, labels]: whether the label has been learned by then."""
        return np.arange(len(self.growing))[:, None] >= self.learned


def check_record(record: Record) -> list[Finding]:
    """Return what contradicts itself in a record, each finding with its field; empty when all of it fits."""
    findings = list(_labels(record)) + list(_lengths(record)) + list(_flags(record))
    if findings:
        return findings  # what follows reads matrices by these shapes
    arrays = _Arrays(
        learned=np.asarray(record.learned),
        growing=_array(record.ap.growing),
        fixed=_array(record.ap.fixed),
        counts={name: {kind: _array(getattr(part, kind)) for kind in _KINDS} for name, part in record.counts.items()},
    )
    findings = (
        list(_matrices(arrays))
        + list(_counts(record, arrays))
        + list(_thresholds(record, arrays))
        + list(_budget(record))
    )
    return findings or list(_summary(record, arrays))


def _array(rows: Sequence[Sequence[float | None]]) -> npt.NDArray[np.float64]:
    return np.array(rows, dtype=np.float64)


def _labels(record: Record) -> Iterator[Finding]:
    told = [label for session in record.scenario.sessions for label in session.labels]
    if record.labels != told:
        place = _first_difference(record.labels, told)
        yield Finding(f"labels[{place}]", "is not the label that scenario.sessions has at this place")
    if len(set(record.labels)) != len(record.labels):
        yield Finding("labels", "has the same label twice")
    yield from _order(record)
    dealt = [index for index, session in enumerate(record.scenario.sessions) for _ in session.labels]
    if record.learned != dealt:
        place = _first_difference(record.learned, dealt)
        yield Finding(f"learned[{place}]", "is not the session that scenario.sessions gives this label to")


def _order(record: Record) -> Iterator[Finding]:
    order = order_of(record)
    if not order:
        return
    if not is_order(order):
        yield Finding("scenario.order.name", f"{order[:40]!r} is not a class order")
    elif sorted_labels(record.labels, order) not in (None, tuple(record.labels)):
        yield Finding("scenario.order.name", f"is {order}, but the labels are in another order")
    if own_digest(record) == record.scenario.digest:
        yield Finding("scenario.order.scenario", "is the digest of the scenario in another order")


def _first_difference(a: Sequence[object], b: Sequence[object]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def is_misshapen(record: Record) -> bool:
    """Return whether a record's tables do not fit its labels and sessions, so that nothing can be shown of it."""
    told = sum(len(session.labels) for session in record.scenario.sessions)
    return not len(record.labels) == len(record.learned) == told or any(_shapes(record))


def _shapes(record: Record) -> Iterator[Finding]:
    sessions, labels = len(record.scenario.sessions), len(record.labels)
    tables = {"ap.growing": record.ap.growing, "ap.fixed": record.ap.fixed} | {
        f"counts[{name}].{kind}": getattr(part, kind) for name, part in record.counts.items() for kind in _KINDS
    }
    tables |= {} if record.thresholds is UNSET else {"thresholds.each": record.thresholds.each}
    for path, table in tables.items():
        if len(table) != sessions:
            yield Finding(path, f"has {len(table)} rows for {sessions} sessions")
        for index, row in enumerate(table):
            if len(row) != labels:
                yield Finding(f"{path}[{index}]", f"has {len(row)} entries for {labels} labels")
    lists = [("costs", len(record.costs)), ("times.sessions", len(record.times.sessions))]
    if record.thresholds is not UNSET:
        lists += [(f"thresholds.{name}", len(getattr(record.thresholds, name))) for name in ("images", "one")]
    for path, length in lists:
        if length != sessions:
            yield Finding(path, f"has {length} entries for {sessions} sessions")


def _lengths(record: Record) -> Iterator[Finding]:
    yield from _shapes(record)
    for index, cost in enumerate(record.costs):
        if cost.session != index:
            yield Finding(f"costs[{index}].session", f"is {cost.session}")
        if cost.trainable > cost.parameters:
            yield Finding(
                f"costs[{index}].trainable", f"{cost.trainable} is more than all {cost.parameters} parameters"
            )
    for index, score in enumerate(record.scores):
        if score.session != index:
            yield Finding(f"scores[{index}].session", f"is {score.session}")
        if (score.kind is UNSET) != (record.protocol == 1):
            yield Finding(
                f"scores[{index}].kind", f"does not fit protocol {record.protocol}: files say what they hold from 2 on"
            )
        elif score.kind is not UNSET and not score.file.endswith(f".{score.kind}.npy"):
            yield Finding(f"scores[{index}].file", f"is not named after its kind, {score.kind}")


def _flags(record: Record) -> Iterator[Finding]:
    for mark in sorted(required_marks(record) - set(record.marks)):
        yield Finding("marks", f"lacks '{mark}', which the rest of the record asks for")
    strategy = record.strategy
    tuning = tuning_of(record)
    right = configuration_digest(
        strategy.name, fields=strategy.fields, train=record.train, protocol=record.protocol, tuning=tuning
    )
    if record.configuration != right:
        parts = (
            "strategy.name, strategy.fields, train and protocol"
            if tuning is None
            else ("strategy.name, strategy.fields, train, protocol and tuning")
        )
        yield Finding("configuration", f"is not the digest of {parts}")
    if tuning is not None:
        yield from _tuning(tuning)
    for name, value in strategy.changed.items():
        if name not in strategy.fields or strategy.fields[name] != value:
            yield Finding(join("strategy.changed", name), "is not the value in strategy.fields")
    seconds = math.fsum(part.train_seconds + part.eval_seconds for part in record.times.sessions)
    # a resumed run adds up what its parts took, so only the impossible is refused
    if seconds > record.times.total_seconds * 1.001 + 1.0:
        yield Finding("times.total_seconds", f"is less than its sessions' {seconds:.1f} s together")


def _budget(record: Record) -> Iterator[Finding]:
    """Yield where more was stored than the field `memory` says, or more trained on than can have been shown."""
    strategy, before = record.strategy, 0
    draws = UNTOLD_DRAWS if strategy.draws is msgspec.UNSET else strategy.draws
    allowed = most_stored(strategy.fields, labels=len(record.labels))
    if not all(isinstance(record.train.get(name, 0), int) for name in ("epochs", "base_epochs")):
        yield Finding("train", "has no whole number of epochs")
        return
    for index, (session, cost) in enumerate(zip(record.scenario.sessions, record.costs, strict=True)):
        if allowed is not None and cost.stored_images > allowed:
            yield Finding(
                f"costs[{index}].stored_images", f"is {cost.stored_images}; the field `memory` allows {allowed}"
            )
        most = most_seen(
            record.train,
            session=index,
            images=session.train_images,
            stored=max(before, cost.stored_images),
            steps=cost.steps,
            draws=draws,
        )
        if cost.images_seen > most:
            yield Finding(
                f"costs[{index}].images_seen",
                f"is {cost.images_seen}; train images × epochs + {draws} × stored images × steps is {most}",
            )
        before = cost.stored_images


def _tuning(tuning: dict[str, Any]) -> Iterator[Finding]:
    if tuning["space_digest"] != digest(tuning["space"]):
        yield Finding("tuning.space_digest", "is not the digest of tuning.space")
    if tuning["failed"] >= tuning["trials"]:
        yield Finding("tuning.failed", f"leaves none of the {tuning['trials']} trials to choose from")


def _matrices(arrays: _Arrays) -> Iterator[Finding]:
    for name, ap in (("growing", arrays.growing), ("fixed", arrays.fixed)):
        early = ~np.isnan(ap) & ~arrays.seen
        yield from _first_wrong(f"ap.{name}", early, "is a value for a label that comes in a later session")


def _counts(record: Record, arrays: _Arrays) -> Iterator[Finding]:
    sizes = [session.test_images for session in record.scenario.sessions]
    images = np.asarray(sizes, dtype=np.float64)[:, None]
    reference = ""
    for rule, tables in arrays.counts.items():
        at = f"counts[{rule}]"
        for kind, table in tables.items():
            wrong = np.isnan(table) == arrays.seen
            yield from _first_wrong(f"{at}.{kind}", wrong, "should be a count exactly where the label has been seen")
        total, positives = tables["tp"] + tables["fp"] + tables["fn"], tables["tp"] + tables["fn"]
        yield from _first_wrong(f"{at}.fp", total > images, "adds up to more than the session's test images")
        # a label has an average precision exactly when it has a positive
        wrong = ((positives > 0) == np.isnan(arrays.growing)) & arrays.seen
        yield from _first_wrong(f"{at}.fn", wrong, "contradicts whether ap.growing is defined")
        if reference:
            told = arrays.counts[reference]
            wrong = (positives != told["tp"] + told["fn"]) & arrays.seen
            yield from _first_wrong(f"{at}.fn", wrong, f"gives another number of positives than counts[{reference}]")
        reference = reference or rule


def _thresholds(record: Record, arrays: _Arrays) -> Iterator[Finding]:
    """Yield where thresholds and the counts that follow from them do not go together."""
    for rule in (EACH, ONE):
        if (rule in record.counts) == (record.thresholds is UNSET):
            absent = "thresholds" if rule in record.counts else f"counts[{rule}]"
            yield Finding(absent, "is missing: thresholds that validation images chose and their counts go together")
    if record.thresholds is not UNSET:
        wrong = np.isnan(_array(record.thresholds.each)) == arrays.seen
        yield from _first_wrong("thresholds.each", wrong, "should be a threshold exactly where the label has been seen")


def _first_wrong(path: str, wrong: npt.NDArray[np.bool_], problem: str) -> Iterator[Finding]:
    if wrong.any():
        session, label = (int(i) for i in np.argwhere(wrong)[0])
        yield Finding(f"{path}[{session}][{label}]", problem)


def _summary(record: Record, arrays: _Arrays) -> Iterator[Finding]:
    try:
        fresh = summarize(arrays.growing, arrays.fixed, arrays.counts, arrays.learned)
    except DataError as error:
        yield Finding("summary", f"cannot be recomputed: {error.message}")
        return
    for name in fresh:
        if name not in record.summary:
            yield Finding(join("summary", name), "is missing")
    for name, value in record.summary.items():
        if name not in fresh:
            yield Finding(join("summary", name), "is no number that clbench computes")
            continue
        told, right = (math.nan if v is None else v for v in (value, fresh[name]))
        if math.isnan(told) != math.isnan(right) or abs(told - right) > TOLERANCE:
            yield Finding(join("summary", name), f"is {value!r}; recomputed it is {fresh[name]!r}")
