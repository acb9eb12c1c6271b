"""Measures that records lack, from their score files: of the last session, on its growing test set."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError
from clbench.files.checked_lines import checked, intact
from clbench.files.user_folders import cache_folder
from clbench.metrics import per_image
from clbench.metrics.attributes import mean_accuracy
from clbench.metrics.jackknife import map_error
from clbench.metrics.rules import Ranking, threshold_on
from clbench.records.collection import Collection
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.records.verify.against_stream import other_stream, stream_of, tested_places
from clbench.records.verify.known_whole import rules
from clbench.records.verify.rescore import kind_of
from clbench.report.figures.from_scores import session_scores, work_folder
from clbench.report.table.columns import ERROR
from clbench.report.table.leaderboard import sections
from clbench.report.table.references import AGAINST, against_references

log = logging.getLogger(__name__)

AUTOMATIC = 64 << 20
"""Bytes of the scores of a session up to which they are read for every table; MS-COCO has 13 MB."""

Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.int8]

MEASURES: Mapping[str, Callable[[Scores, Truth, Ranking], float]] = {
    "error_images": lambda scores, truth, kind: map_error(scores, truth),
    "auroc": lambda scores, truth, kind: per_image.auroc(scores, truth),
    "ranking_loss": lambda scores, truth, kind: per_image.ranking_loss(scores, truth),
    "one_error": lambda scores, truth, kind: per_image.one_error(scores, truth),
    "coverage": lambda scores, truth, kind: per_image.coverage(scores, truth),
    "hamming_loss": lambda scores, truth, kind: per_image.hamming_loss(
        scores, truth, threshold=threshold_on(kind, 0.5)
    ),
    "mean_accuracy": lambda scores, truth, kind: mean_accuracy(scores, truth, threshold=threshold_on(kind, 0.5)),
    "precision_at_1": lambda scores, truth, kind: per_image.precision_at(scores, truth, k=1),
    "precision_at_3": lambda scores, truth, kind: per_image.precision_at(scores, truth, k=3),
    "precision_at_5": lambda scores, truth, kind: per_image.precision_at(scores, truth, k=5),
}
"""What score files tell: column -> measure of scores [n, K] and truth [n, K] of the last growing test set."""


def measured(
    rows: Iterable[Row], keys: Sequence[str], *, folders: Sequence[Path], data: Path | None = None, asked: bool = True
) -> dict[str, dict[str, float]]:
    """Return `keys` of `MEASURES` by content digest, of the records whose score files lie below one of `folders`.

    What was found once is kept in the cache folder, by the record's content, which names its score files by digest. A
    data set that is not here is warned of where the measures were `asked` for. A measure without any value is left out.
    """
    kept = _Kept()
    found: dict[str, dict[str, float]] = {key: {} for key in keys}
    absent: set[str] = set()
    for record in (record for row in rows if not row.reference for record in row.records):
        missing = []
        for key in keys:
            value = kept.get(record.content, key)
            if value is None:
                missing.append(key)
            elif not math.isnan(value):
                found[key][record.content] = value
        if not missing or record.scenario.digest in absent or work_folder(record, folders) is None:
            continue
        try:
            fresh = _of_record(record, missing, folders=folders, data=data)
        except ClbenchError as error:
            absent.add(record.scenario.digest)
            (log.warning if asked else log.debug)("%s: no measure from score files. %s", record.scenario.name, error)
            continue
        for key, value in fresh.items():
            kept.add(record.content, key, value)
            if not math.isnan(value):
                found[key][record.content] = value
    kept.save()
    return {key: values for key, values in found.items() if values}


def numbers_besides(
    found: Collection, keys: Sequence[str] = (), *, folders: Sequence[Path], data: Path | None = None
) -> dict[str, Mapping[str, float]]:
    """Return what the columns `keys` show that no record holds, and how far the test images leave last mAP open.

    The second without being asked, of score files of up to `AUTOMATIC` bytes whose data set is here. `keys` that are
    no such columns count for nothing.
    """
    asked = list(dict.fromkeys(key for key in keys if key in MEASURES))
    numbers: dict[str, Mapping[str, float]] = {}
    if ERROR.key not in asked:
        small = [row for row in found.rows if is_small(row.first)]
        numbers |= measured(small, [ERROR.key], folders=folders, data=data, asked=False)
    if asked:
        told = measured(found.rows, asked, folders=folders, data=data)
        numbers |= {key: told.get(key, {}) for key in asked}
        if not told:
            log.warning("No score files of these rows are here, so that there is no %s.", ", ".join(asked))
    if any(key in AGAINST for key in keys):
        beside = against_references([rows for rows, _ in sections(found.rows)], trust=found.trust)
        numbers |= {key: beside[key] for key in keys if key in AGAINST}
    return numbers


def is_small(record: Record) -> bool:
    """Say whether the scores of a record's last session are few enough to be read without being asked for."""
    return 4 * record.scenario.sessions[-1].test_images * len(record.labels) <= AUTOMATIC


def last_scores(
    record: Record, *, folders: Sequence[Path], data: Path | None = None
) -> tuple[Scores, Truth, Ranking] | None:
    """Return scores [n, K], truth [n, K] and kind of the last growing test set; None where score files do not fit.

    Raises ClbenchError where the data set is not here.
    """
    if work_folder(record, folders) is None:
        return None
    stream = stream_of(record, data=data)
    if any(other_stream(record, stream)):
        return None
    truth = stream.truth(stream.test_rows)
    scores = session_scores(record, folders, images=len(truth))
    if scores is None:
        return None
    rows = tested_places(record, stream)[-1]
    return scores[rows], truth[rows, : scores.shape[1]], kind_of(record, -1)


def _of_record(record: Record, keys: Sequence[str], *, folders: Sequence[Path], data: Path | None) -> dict[str, float]:
    told = last_scores(record, folders=folders, data=data)
    return {} if told is None else {key: MEASURES[key](*told) for key in keys}


class _Kept:
    """Values found before, in a file that can be deleted at any time, named by the digest of the code that measures.

    A line that is not as it was written is measured again.
    """

    def __init__(self) -> None:
        self._path = cache_folder() / "measures" / f"{rules()[:32]}.csv"
        self._new: list[str] = []
        self._known: dict[tuple[str, str], float] = {}
        try:
            text = self._path.read_bytes()
        except OSError:
            return
        for line in intact(text):  # not what a killed process left unfinished
            content, key, value = line.split(" ")
            self._known[content, key] = float(value)

    def get(self, content: str, key: str) -> float | None:
        return self._known.get((content, key))

    def add(self, content: str, key: str, value: float) -> None:
        self._known[content, key] = value
        self._new.append(checked(f"{content} {key} {value!r}"))

    def save(self) -> None:
        if not self._new:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write("\n" + "".join(self._new))
        except OSError as error:
            log.debug("%s: measures are not kept (%s)", self._path, error)
