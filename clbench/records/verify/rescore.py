"""Re-scoring: the AP matrices and counts of a record, computed again from its score files and the stream's truth."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from clbench.errors import DataError
from clbench.metrics.ap import average_precisions
from clbench.metrics.rules import Ranking, decide
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
    if "streamed-ap" in record.marks:
        return [Finding("scores", "were too many to be kept; AP were taken while scoring and cannot be again")]
    if len(record.scores) != sessions:
        return [Finding("scores", f"lists {len(record.scores)} score files for {sessions} sessions")]
    findings: list[Finding] = []
    for session in range(sessions):
        seen = sum(since <= session for since in record.learned)
        scores = load_scores(record, session, folder=folder, shape=(len(truth), seen), findings=findings)
        if scores is not None:
            try:
                findings += _session(record, session, scores=scores, truth=truth[:, :seen], rows=tests[session])
            except DataError as error:
                findings.append(Finding(f"scores[{session}].file", error.message))
    return findings


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
    """Return the score matrix of one session, or None after adding to `findings` why it cannot be used."""
    entry, field = record.scores[session], f"scores[{session}]"
    path = folder / entry.file
    wrong = f"should be a NumPy file of float32 {shape}: {path}"
    try:
        # the size is known, so a header that promises more than the file holds is never believed
        if not 0 < path.stat().st_size - 4 * math.prod(shape) <= _LARGEST_HEADER:
            findings.append(Finding(f"{field}.file", wrong))
            return None
        content = path.read_bytes()
    except OSError as error:
        findings.append(Finding(f"{field}.file", f"cannot be read: {path} ({error.strerror})"))
        return None
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.sha256:
        findings.append(Finding(f"{field}.sha256", f"is not the digest of {path}"))
        return None
    try:
        # no pickles: a score file from a stranger must not run code
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        array = None
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.shape != shape:
        findings.append(Finding(f"{field}.file", wrong))
        return None
    return array


def _session(
    record: Record, session: int, *, scores: Scores, truth: Truth, rows: npt.NDArray[np.int64]
) -> Iterator[Finding]:
    growing_scores, growing_truth = scores[rows], truth[rows]
    for name, fresh in (
        ("growing", average_precisions(growing_scores, growing_truth)),
        ("fixed", average_precisions(scores, truth)),
    ):
        told = getattr(record.ap, name)[session]
        yield from _differences(f"ap.{name}[{session}]", told, fresh.tolist())
    told = thresholds_after(record, session)
    chosen = None if told is None else told.by_rule()
    for threshold, part in record.counts.items():
        decided = decide(
            threshold,
            growing_scores,
            growing_truth,
            ranking=kind_of(record, session),
            chosen=chosen,
        )
        for kind in ("tp", "fp", "fn"):
            yield from _differences(
                f"counts[{threshold}].{kind}[{session}]", getattr(part, kind)[session], getattr(decided, kind).tolist()
            )


def _differences(path: str, told: Sequence[float | None], fresh: Sequence[float]) -> Iterator[Finding]:
    for label, right in enumerate(fresh):
        value = told[label]
        left = math.nan if value is None else float(value)
        if math.isnan(left) != math.isnan(right) or abs(left - right) > TOLERANCE:
            yield Finding(f"{path}[{label}]", f"is {value!r}; the score file gives {right!r}")
