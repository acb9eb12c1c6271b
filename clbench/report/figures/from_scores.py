"""What score files tell beyond a record: CP and CR over the threshold, and mAP on images chosen otherwise."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError
from clbench.metrics.continual import Groups
from clbench.metrics.jackknife import map_error
from clbench.metrics.krt import krt_maps
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.records.store import record_path
from clbench.records.verify.against_stream import other_stream, stream_of, tested_places
from clbench.records.verify.findings import Finding
from clbench.records.verify.rescore import has_all_scores, kind_of, load_scores
from clbench.report.figures.curves import Line, Ranked, average, names, threshold_curves

log = logging.getLogger(__name__)

Name = tuple[str, str, int]
Scores = npt.NDArray[np.float32]

MOST_ROWS = 10
"""Configurations that are drawn, the best ones: a score file of MS-COCO has 13 MB."""


def over_thresholds(rows: Sequence[Row], *, folders: Sequence[Path], data: Path | None = None) -> dict[str, list[Line]]:
    """Return CP, CR and CF1 over the threshold, on the growing test set after the last session, for rows of one table.

    Rows count whose seeds all have score files below one of `folders` (results folders), the best `MOST_ROWS` of them.
    Empty where there is none, or where the data set that says what is right is not here; that is logged.
    """
    kept = _kept(rows, folders)[:MOST_ROWS]
    if not kept:
        return {}
    try:
        stream = stream_of(kept[0][0].first, data=data)
    except ClbenchError as error:
        log.warning("CP and CR over the threshold are not drawn. %s", error.message)
        return {}
    truth = stream.truth(stream.test_rows)
    found: dict[Name, list[Ranked]] = {}
    places = tested_places(kept[0][0].first, stream)[-1]
    for row, name in kept:
        matrices = [session_scores(record, folders, images=len(truth)) for record in row.records]
        if not any(other_stream(row.first, stream)) and all(matrix is not None for matrix in matrices):
            kinds = [kind_of(record, -1) for record in row.records]
            found[name] = [(m[places], kind) for m, kind in zip(matrices, kinds, strict=True) if m is not None]
    return threshold_curves(found, truth=truth[places]) if found else {}


def groups_on_own_images(
    rows: Sequence[Row], *, folders: Sequence[Path], data: Path | None = None
) -> tuple[dict[Name, list[Groups]], dict[Name, list[list[float]]]]:
    """Return mAP over base, new and seen labels, each on the images that hold one, per seed, as KRT's code does.

    Besides, per seed and session, the standard error of mAP over seen labels from the images of the growing test set.
    Both by the names of `clbench.report.figures.curves.names`, for all rows whose seeds have their score files below
    one of `folders`. Empty where the data set that says what is right is not here; that is logged.
    """
    found: dict[Name, list[Groups]] = {}
    errors: dict[Name, list[list[float]]] = {}
    for row, name in _kept(rows, folders):
        try:
            stream = stream_of(row.first, data=data)
        except ClbenchError as error:
            log.warning("Groups on their own images are left out. %s", error)
            return {}, {}
        if any(other_stream(row.first, stream)):
            continue
        truth = stream.truth(stream.test_rows)
        member = np.take(stream.table.member[stream.test_rows], stream.order, axis=1)
        per_seed, luck = [], []
        tested = tested_places(row.first, stream)
        for record in row.records:
            sessions = range(len(record.scores))
            matrices = [session_scores(record, folders, session=session, images=len(truth)) for session in sessions]
            scores = [matrix for matrix in matrices if matrix is not None]
            if len(scores) == len(record.scenario.sessions):
                per_seed.append(krt_maps(scores, truth, member=member, learned=record.learned))
                shown = zip(scores, tested, strict=True)
                luck.append([map_error(m[places], truth[places, : m.shape[1]]) for m, places in shown])
        if len(per_seed) == len(row.records):
            found[name], errors[name] = per_seed, luck
    return found, errors


def _kept(rows: Sequence[Row], folders: Sequence[Path]) -> list[tuple[Row, Name]]:
    """Return the rows of one class order whose seeds all have score files, the best first, with their names."""
    told = sorted(zip(rows, names(rows), strict=True), key=lambda item: -average(item[0]))
    # scores that lie where those of a reference row would are of one's own run of the same configuration
    own = [(row, name) for row, name in told if not row.reference and len(row.orders) == 1]
    return [(row, name) for row, name in own if all(work_folder(record, folders) for record in row.records)]


def work_folder(record: Record, folders: Sequence[Path]) -> Path | None:
    """Return the work folder that has the record's last score file, where the scores of every session were kept."""
    if not has_all_scores(record):
        return None
    work = (record_path(results, record).with_suffix("") for results in folders)
    return next((folder for folder in work if (folder / record.scores[-1].file).is_file()), None)


def session_scores(record: Record, folders: Sequence[Path], *, images: int, session: int = -1) -> Scores | None:
    """Return the scores of a session, by default the last one, or None after telling why they cannot be used."""
    findings: list[Finding] = []
    folder = work_folder(record, folders)
    assert folder is not None
    session = session % len(record.scores)
    seen = sum(since <= session for since in record.learned)
    matrix = load_scores(record, session, folder=folder, shape=(images, seen), findings=findings)
    for finding in findings:
        log.warning("%s: %s", folder, finding)
    return matrix
