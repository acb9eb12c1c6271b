"""Streams: a label table and a scenario make the ordered sessions that every strategy sees."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from clbench.data.ids import by_id
from clbench.data.sparse.labels import as_lists
from clbench.data.table import LabelTable
from clbench.errors import DataError
from clbench.seeds import derive
from clbench.spec.scenario import ScenarioSpec
from clbench.stream.label_order import arrival
from clbench.stream.listed_images import listed_rows
from clbench.stream.pins.check import check_pins
from clbench.stream.stream import Rows, Session, Stream, StreamDigest, positives
from clbench.stream.who_joins import any_new_label, disjoint, held_out

__all__ = ["Session", "Stream", "StreamDigest", "build_stream", "check_pins"]

Mask = npt.NDArray[np.bool_]
Array = TypeVar("Array", Rows, npt.NDArray[np.int8])


def build_stream(table: LabelTable, spec: ScenarioSpec, *, lists: Path | None = None) -> Stream:
    """Return the stream that `spec` makes of `table`; `docs/protocol.md` says what each choice means.

    `lists` is the folder with the published id lists of a `listed` scenario (None: where `clbench data get` puts them).
    Raises UsageError where the scenario does not fit the table's labels, and DataError where a session would have no
    train images, a label no positive train image, or the protocol no test images. Pins are checked by `check_pins`.
    """
    names = arrival(table, spec.labels, source=spec.name)
    labels = tuple(chain(*names))
    place = {label: column for column, label in enumerate(table.labels)}
    columns = [np.array([place[label] for label in new], dtype=np.int64) for new in names]
    order = np.concatenate(columns)

    if spec.images == "listed":
        train, joins, test, tested = listed_rows(table, spec, sessions=len(names), folder=lists)
    else:
        train, joins, test, tested = _from_labels(table, spec, columns=columns)
    tested = np.ones_like(tested) if spec.test == "all" else np.logical_or.accumulate(tested, axis=0)
    if not tested.any():
        raise DataError(
            f"{spec.name}: no test image of {table.name} has a label that takes part.",
            hint="A scenario needs images with `split` test; see `clbench data check`.",
        )
    held = _validation(table, spec, rows=train, takes_part=np.any(joins, axis=0), order=order)
    joins &= ~held

    ends = np.cumsum([len(new) for new in names]).tolist()
    sessions = tuple(
        _session(table, spec, index=i, rows=train[joins[i]], test_rows=test[tested[i]], ends=ends, order=order)
        for i in range(len(names))
    )
    return Stream(
        table=table,
        order=_frozen(order),
        labels=labels,
        sessions=sessions,
        test_rows=_frozen(test[tested[-1]]),
        val_rows=_frozen(train[held]),
    )


def _from_labels(table: LabelTable, spec: ScenarioSpec, *, columns: Sequence[Rows]) -> tuple[Rows, Mask, Rows, Mask]:
    """Return train rows, [session, image] joins, test rows, and which test images hold a session's new label."""
    rows = by_id(table.ids)
    is_train = table.split[rows] == "train"
    train, test = rows[is_train], rows[~is_train]
    joins = any_new_label(table.member[train], columns=columns)
    if spec.images == "disjoint":
        joins = disjoint(joins, ids=table.ids[train], seed=spec.images_seed)
    elif spec.images == "all":
        joins = np.ones_like(joins)
    return train, joins, test, any_new_label(table.member[test], columns=columns)


def _validation(table: LabelTable, spec: ScenarioSpec, *, rows: Rows, takes_part: Mask, order: Rows) -> Mask:
    held = np.zeros(len(rows), dtype=np.bool_)
    if spec.validation.fraction:
        chosen = rows[takes_part]
        truth = table.targets(chosen, order, shown=slice(None), width=len(order))
        lists = as_lists(truth)
        positive = truth == 1 if lists is None else lists
        ids = table.ids[chosen].tolist()
        priority = np.array([derive("validation", spec.validation.seed, text) for text in ids], dtype=np.int64)
        held[takes_part] = held_out(positive, fraction=spec.validation.fraction, priority=priority)
    return held


def _session(
    table: LabelTable, spec: ScenarioSpec, *, index: int, rows: Rows, test_rows: Rows, ends: list[int], order: Rows
) -> Session:
    start, learned = ends[index - 1] if index else 0, ends[index]
    new = slice(start, learned)
    seen = len(order) if spec.visible == "all" else learned
    names = tuple(table.labels[column] for column in order[:seen].tolist())
    if len(rows) == 0:
        raise DataError(
            f"{spec.name}: session {index}: no train image of {table.name} joins it (new labels: "
            f"{', '.join(names[new])}).",
            hint="Check the table's `split` and labels, or give the session other labels.",
        )
    shown = new if spec.visible == "new" else slice(0, seen)
    targets = table.targets(rows, order[:seen], shown=shown, width=seen)
    # of lists all columns are counted at once; a matrix is looked at where the new ones are
    marked = positives(targets)[new] > 0 if as_lists(targets) is not None else (targets[:, new] == 1).any(axis=0)
    if not marked.all():
        label = names[new][int(np.argmin(marked))]
        dealt = "Try another `images_seed`, or leave" if spec.images == "disjoint" else "Leave"
        raise DataError(
            f"{spec.name}: session {index}: none of its {len(rows):,} train images of {table.name} is marked with the "
            f"new label {label!r}.",
            hint=f"{dealt} the label out: name the others in `labels.subset`.",
        )
    return Session(
        index=index,
        new=new,
        seen=seen,
        learned=learned,
        labels=names,
        rows=_frozen(rows),
        targets=targets,
        test_rows=_frozen(test_rows),
    )


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
