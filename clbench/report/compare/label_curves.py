"""Curves of one label from score files: of the last session, on its growing test set."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError, UsageError, suggest
from clbench.metrics.label_curves import calibration, precision_recall
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.records.verify.against_stream import other_stream, stream_of, tested_places
from clbench.records.verify.rescore import kind_of
from clbench.report.figures.from_scores import session_scores, work_folder
from clbench.report.table.labels import method_names

log = logging.getLogger(__name__)

Curve = Literal["precision-recall", "calibration"]
ABOUT = ("scenario", "method", "seed", "label")
COLUMNS: dict[Curve, tuple[str, ...]] = {
    "precision-recall": ("threshold", "precision", "recall"),
    "calibration": ("low", "high", "images", "predicted", "present"),
}
"""What a point of each curve says, after `ABOUT`. Thresholds are probabilities."""


def points(
    rows: Sequence[Row], label: str, *, curve: Curve, folders: Sequence[Path], data: Path | None = None, bins: int = 10
) -> list[dict[str, Any]]:
    """Return the points of a label's curve for every row and seed with score files, under `ABOUT` and `COLUMNS`.

    Raises UsageError for a label that the scenario does not have, DataError where no row has score files here, or the
    data set that says what is right is not here.
    """
    labels = rows[0].first.labels
    if label not in labels:
        raise UsageError(
            f"--label {label}: no such label.{suggest(label, labels)}",
            hint=f"Labels: {', '.join(labels[:20])}{', …' if len(labels) > 20 else ''}",
        )
    found: list[dict[str, Any]] = []
    for row, name in zip(rows, method_names(rows), strict=True):
        for record in row.records if not row.reference else ():
            if work_folder(record, folders) is None:
                continue
            known = _of_label(record, label, folders=folders, data=data)
            if known is not None:
                about = dict(zip(ABOUT, (record.scenario.name, name, record.seed, label), strict=True))
                found += [about | point for point in _curve(*known, curve=curve, bins=bins)]
    if not found:
        raise DataError(
            f"{rows[0].first.scenario.name}: no row has score files here, or none with a photo of '{label}'.",
            hint="Curves of a label need the score files that a run leaves beside its record.",
        )
    return found


def _curve(
    probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.int8], *, curve: Curve, bins: int
) -> Iterator[dict[str, Any]]:
    if curve == "precision-recall":
        told: Any = precision_recall(probabilities, truth)
    else:
        told = calibration(probabilities, truth, bins=bins)
    for values in zip(*told, strict=True):
        yield {name: value.item() for name, value in zip(COLUMNS[curve], values, strict=True)}


def _of_label(
    record: Record, label: str, *, folders: Sequence[Path], data: Path | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]] | None:
    """Return probabilities and truth of a label on the last growing test set, None where score files do not fit."""
    from scipy.special import expit

    stream = stream_of(record, data=data)
    if any(other_stream(record, stream)):
        log.warning("%s seed %d: its stream is not the one of the data here.", record.strategy.name, record.seed)
        return None
    truth = stream.truth(stream.test_rows)
    scores = session_scores(record, folders, images=len(truth))
    if scores is None:
        return None
    rows, place = tested_places(record, stream)[-1], record.labels.index(label)
    column = scores[rows, place].astype(np.float64)
    return (expit(column) if kind_of(record, -1) == "logits" else column), truth[rows, place]
