"""The stream of a trial: validation images stand where test images would, and those are out of reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from clbench.data.sparse.merged import first_columns
from clbench.data.sparse.table import SparseTable
from clbench.data.table import LabelTable
from clbench.errors import DataError, RunError, UsageError
from clbench.spec.scenario import ScenarioSpec, TrialSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Rows, Session, Stream, positives

if TYPE_CHECKING:
    import torch

    from clbench.data.pictures.sources import ImageSource


def trial_stream(table: LabelTable, scenario: ScenarioSpec, trial: TrialSpec) -> Stream:
    """Return the stream on which a setting of `scenario` is tried out.

    Validation images, cut from train, are what is tested: those that are members of a learned label, or all of them
    with `test: all`. Only the first `trial.sessions` sessions are there, with no label of a later one. The labels of
    the table's test images are blank. Raises UsageError for more sessions than there are, DataError where the
    validation images cannot score a session.
    """
    whole = build_stream(table, msgspec.structs.replace(scenario, validation=trial.validation))
    count = trial.sessions or len(whole.sessions)
    if count > len(whole.sessions):
        raise UsageError(f"sessions: {count}: {scenario.name} has {len(whole.sessions)} sessions.")
    width = whole.sessions[count - 1].learned
    order = whole.order[:width]
    member = np.take(table.member[whole.val_rows], order, axis=1)

    def tested(learned: int) -> Rows:
        chosen = np.ones(len(member), dtype=np.bool_) if scenario.test == "all" else member[:, :learned].any(axis=1)
        return whole.val_rows[chosen]

    sessions = tuple(_first(session, width, tested(session.learned)) for session in whole.sessions[:count])
    stream = dataclasses.replace(
        whole,
        table=without_test_labels(table),
        order=order,
        labels=whole.labels[:width],
        sessions=sessions,
        test_rows=tested(width),
    )
    _check_scorable(stream, scenario, trial)
    return stream


def without_test_labels(table: LabelTable) -> LabelTable:
    """Return the table with nothing known of its test images."""
    train = table.split == "train"
    if isinstance(table, SparseTable):
        return table.without(~train)
    return dataclasses.replace(
        table,
        y=np.where(train[:, None], table.y, np.int8(-1)),
        member=table.member & train[:, None],
    )


class TrainImages:
    """An image source that gives the table's train images and refuses its test images."""

    def __init__(self, source: ImageSource, table: LabelTable) -> None:
        self.source = source
        self.size = source.size
        self.allowed: npt.NDArray[np.bool_] = table.split == "train"

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]. Raises RunError for a test image."""
        self._check(rows)
        return self.source.read(rows)

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`. Raises RunError for a test image."""
        from clbench.data.pictures.sources import whole_pictures

        self._check(rows)
        return whole_pictures(self.source, rows)

    def _check(self, rows: Rows) -> None:
        if not self.allowed[rows].all():
            row = int(rows[np.argmin(self.allowed[rows])])
            raise RunError(f"A trial asked for the test image in row {row}; trials see train images only.")


def _first(session: Session, width: int, test_rows: Rows) -> Session:
    """Return the session without labels beyond the first `width`, tested on `test_rows`."""
    seen = min(session.seen, width)
    targets = first_columns(session.targets, seen)  # of a read-only array, and so read-only
    return dataclasses.replace(session, seen=seen, labels=session.labels[:seen], targets=targets, test_rows=test_rows)


def _check_scorable(stream: Stream, scenario: ScenarioSpec, trial: TrialSpec) -> None:
    for session in stream.sessions:
        if not positives(stream.read_truth(session.test_rows))[: session.learned].any():
            raise DataError(
                f"{scenario.name}: session {session.index}: no validation image has a label learned by then "
                f"(validation fraction {trial.validation.fraction:g}, {len(stream.val_rows):,} images).",
                hint="Hold out more: raise the fraction of `validation`.",
            )
