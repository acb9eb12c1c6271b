"""What score files tell beyond a record: CP and CR over the threshold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError
from clbench.ledger.findings import Finding
from clbench.ledger.record import Record
from clbench.ledger.rescore import load_scores
from clbench.ledger.rows import Row
from clbench.ledger.store import record_path
from clbench.report.curves import Line, names
from clbench.report.thresholds import threshold_curves
from clbench.verification import other_stream, stream_of, tested_places

log = logging.getLogger(__name__)

MOST_ROWS = 10
"""Configurations that are looked at, the best ones: a score file of MS-COCO has 13 MB."""


def over_thresholds(rows: Sequence[Row], *, folders: Sequence[Path], data: Path | None = None) -> dict[str, list[Line]]:
    """Return CP, CR and CF1 over the threshold, on the growing test set after the last session, for rows of one table.

    Rows count whose seeds all have score files below one of `folders` (results folders), the best `MOST_ROWS` of them.
    Empty where there is none, or where the data set that says what is right is not here; that is logged.
    """
    told = sorted(zip(rows, names(rows), strict=True), key=lambda item: -_average(item[0]))
    kept = [(row, name) for row, name in told if all(_folder(record, folders) for record in row.records)][:MOST_ROWS]
    if not kept:
        return {}
    try:
        stream = stream_of(kept[0][0].first, data=data)
    except ClbenchError as error:
        log.warning("CP and CR over the threshold are not drawn. %s", error.message)
        return {}
    truth = stream.truth(stream.test_rows)
    found: dict[tuple[str, str, int], list[npt.NDArray[np.float32]]] = {}
    places = tested_places(kept[0][0].first, stream)[-1]
    for row, name in kept:
        matrices = [_scores(record, folders, shape=truth.shape, places=places) for record in row.records]
        if not any(other_stream(row.first, stream)) and all(matrix is not None for matrix in matrices):
            found[name] = [matrix for matrix in matrices if matrix is not None]
    return threshold_curves(found, truth=truth[places]) if found else {}


def _average(row: Row) -> float:
    stat = row.stat("average_map")
    return -np.inf if stat is None else stat.mean


def _folder(record: Record, folders: Sequence[Path]) -> Path | None:
    """Return the work folder that has the record's last score file."""
    if not record.scores:
        return None
    work = (record_path(results, record).with_suffix("") for results in folders)
    return next((folder for folder in work if (folder / record.scores[-1].file).is_file()), None)


def _scores(
    record: Record, folders: Sequence[Path], *, shape: tuple[int, ...], places: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    findings: list[Finding] = []
    folder = _folder(record, folders)
    assert folder is not None
    matrix = load_scores(record, len(record.scores) - 1, folder=folder, shape=(shape[0], shape[1]), findings=findings)
    for finding in findings:
        log.warning("%s: %s", folder, finding)
    return None if matrix is None else matrix[places]
