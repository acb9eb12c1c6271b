"""Re-scoring: the AP matrices and counts of a record, computed again from its score files and the stream's truth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from clbench.errors import DataError
from clbench.files.file_digest import file_sha256
from clbench.metrics.of_parts import STREAMED, MeasuredParts, is_streamed
from clbench.metrics.of_session import PART, Evaluation, measured
from clbench.metrics.rules import Ranking
from clbench.metrics.thresholds import Thresholds
from clbench.records.record import Record
from clbench.records.verify.consistency import TOLERANCE
from clbench.records.verify.findings import Finding

Truth = npt.NDArray[np.int8]
Scores = npt.NDArray[np.float32]

_LARGEST_HEADER = 4096


def rescore_record(
    record: Record, *, folder: Path, truth: Truth, tests: Sequence[npt.NDArray[np.int64]]
) -> list[Finding]:
    """Return where a record differs from its score files in `folder`, each finding with its field.

    truth int8 [n, K] in {1, 0, -1}: the fixed test set in the stream's order, labels in arrival order. tests: per
    session, the positions of the growing test set within it. A score file holds float32 [n, seen].
    """
    sessions = len(record.scenario.sessions)
    if truth.shape[1:] != (len(record.labels),) or len(tests) != sessions:
        return [Finding("scenario", f"does not fit truth {truth.shape} and {len(tests)} test sets: another stream")]
    findings = list(_missing(record))
    for session in range(min(len(record.scores), sessions)):
        seen = sum(since <= session for since in record.learned)
        scores = _whole(record, session, folder=folder, shape=(len(truth), seen), findings=findings)
        if scores is not None:
            try:
                findings += _session(record, session, scores=scores, learned=seen, truth=truth, rows=tests[session])
            except DataError as error:
                findings.append(Finding(f"scores[{session}].file", error.message))
    return findings


def has_all_scores(record: Record) -> bool:
    """Say whether the scores of every session were kept."""
    return len(record.scores) == len(record.scenario.sessions)


def _missing(record: Record) -> Iterator[Finding]:
    kept, sessions = len(record.scores), len(record.scenario.sessions)
    if has_all_scores(record):
        return
    if kept < sessions and STREAMED in record.marks:
        which = f"session {kept}" if kept == sessions - 1 else f"sessions {kept} to {sessions - 1}"
        yield Finding("scores", f"of {which} were too many and not kept; --keep-scores keeps them")
    else:
        yield Finding("scores", f"lists {kept} score files for {sessions} sessions")


def kind_of(record: Record, session: int) -> Ranking:
    """Return what the score file of a session holds."""
    kind = record.scores[session].kind
    return "probabilities" if isinstance(kind, UnsetType) else kind


def thresholds_after(record: Record, session: int) -> Thresholds | None:
    """Return what validation images chose after a session, None where none were held out."""
    told = record.thresholds
    if isinstance(told, UnsetType):
        return None
    each = [threshold for threshold in told.each[session] if threshold is not None]
    return Thresholds(told.images[session], each, told.one[session])


def load_scores(
    record: Record, session: int, *, folder: Path, shape: tuple[int, int], findings: list[Finding]
) -> Scores | None:
    """Return the scores of one session, of the labels learned by then, or None after adding to `findings` why not.

    `shape` is theirs. Where a scenario shows all labels from the start, the file has a column for each of them.
    """
    scores = _whole(record, session, folder=folder, shape=shape, findings=findings)
    return None if scores is None else scores[:, : shape[1]]


def _whole(
    record: Record, session: int, *, folder: Path, shape: tuple[int, int], findings: list[Finding]
) -> Scores | None:
    """Return the matrix of a score file: of `shape`, or with a column for every label."""
    entry, field = record.scores[session], f"scores[{session}]"
    path = folder / entry.file
    wrong = f"should be a NumPy file of float32 {shape}: {path}"
    try:
        # the size is known, so a header that promises more than the file holds is never believed
        size, wide = path.stat().st_size, (shape[0], len(record.labels))
        fitting = [one for one in (shape, wide) if 0 < size - 4 * math.prod(one) <= _LARGEST_HEADER]
        if not fitting:
            findings.append(Finding(f"{field}.file", wrong))
            return None
        if file_sha256(path) != entry.sha256:
            findings.append(Finding(f"{field}.sha256", f"is not the digest of {path}"))
            return None
        scores = next((found for one in fitting if (found := _mapped(path, one)) is not None), None)
    except OSError as error:
        findings.append(Finding(f"{field}.file", f"cannot be read: {path} ({error.strerror})"))
        return None
    if scores is None:
        findings.append(Finding(f"{field}.file", wrong))
    return scores


def _mapped(path: Path, shape: tuple[int, int]) -> Scores | None:
    """Return a score file's matrix, of which only what is asked for is read; None where it holds another one.

    It is told by its header alone, which is text: a score file from a stranger must not run code.
    """
    with path.open("rb") as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            told, by_column, kind = np.lib.format.read_array_header_1_0(file)
        except ValueError:
            return None
        begins = file.tell()
    if told != shape or kind != np.float32 or path.stat().st_size - begins != 4 * math.prod(shape):
        return None
    return np.memmap(path, np.float32, "r", offset=begins, shape=shape, order="F" if by_column else "C")


def _session(
    record: Record, session: int, *, scores: Scores, learned: int, truth: Truth, rows: npt.NDArray[np.int64]
) -> Iterator[Finding]:
    growing = np.zeros(len(scores), dtype=np.bool_)
    growing[rows] = True
    how: dict[str, Any] = {
        "ranking": kind_of(record, session),
        "rules": tuple(record.counts),
        "chosen": thresholds_after(record, session),
    }
    fresh = _again(scores, learned=learned, truth=truth, growing=growing, **how)
    for name in ("growing", "fixed"):
        yield from _differences(f"ap.{name}[{session}]", getattr(record.ap, name)[session], getattr(fresh, name))
    for threshold, part in record.counts.items():
        for kind, decided in fresh.counts[threshold].items():
            yield from _differences(f"counts[{threshold}].{kind}[{session}]", getattr(part, kind)[session], decided)


def _again(scores: Scores, *, learned: int, truth: Truth, growing: npt.NDArray[np.bool_], **how: Any) -> Evaluation:
    """Return what the run took of these scores, in the way in which it did: many are read in parts, and once."""
    if not is_streamed(*scores.shape):
        return measured(scores, truth=truth, growing=growing, learned=learned, **how)
    measures, step = MeasuredParts(learned, all_growing=bool(growing.all()), **how), max(PART // scores.shape[1], 1)
    for part in (slice(first, first + step) for first in range(0, len(scores), step)):
        measures.add(np.asarray(scores[part])[:, :learned], truth=truth[part][:, :learned], growing=growing[part])
    return measures.result(labels=truth.shape[1])


def _differences(path: str, told: Sequence[float | None], fresh: Sequence[float | None]) -> Iterator[Finding]:
    for label, (value, again) in enumerate(zip(told, fresh, strict=True)):
        left, right = (math.nan if one is None else float(one) for one in (value, again))
        if math.isnan(left) != math.isnan(right) or abs(left - right) > TOLERANCE:
            yield Finding(f"{path}[{label}]", f"is {value!r}; the score file gives {right!r}")
