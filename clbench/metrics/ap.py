"""Average precision per label: the area under the precision-recall steps, with ties grouped exactly.

All functions rank the rows of each label by score, leave out rows whose target is unknown (-1) and give fractions
between 0 and 1. A label without a positive among the evaluated rows has no average precision: NaN.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.inputs import Floats, Targets, checked, defined_mean

Aps = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.intp]

# columns are copied into rows as many at a time as fill a few cache lines, so many bytes, in pieces of so many rows
_LINE = 128
_ROWS = 256
# seconds a number from which sorting costs more than counting, and rows below which neither matters
_SLOW = 8e-9
_MANY = 4096


def average_precision(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the average precision of one label.

    scores [N]: real numbers, higher means more likely, infinities allowed; targets [N]: 1, 0, or -1 for unknown.
    Non-interpolated: the sum over distinct thresholds of (recall gained) x (precision), as in scikit-learn. NaN when
    no row is positive. DataError: NaN scores, other targets, unequal shapes.

    >>> metrics.average_precision([0.9, 0.8, 0.1], [1, 0, 1])  # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    if np.ndim(scores) != 1:
        raise DataError(
            f"scores have shape {np.shape(scores)}; one label's scores, [N], were expected",
            hint="For a matrix [N, K] call average_precisions.",
        )
    return float(average_precisions(scores, targets))


def average_precisions(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Aps:
    """Return the average precision of every label, float64 [K].

    scores [N, K] and targets [N, K] as in `average_precision`, one column per label; [N] gives an array of no
    dimensions. Rows that tie count together, so that no order of the rows can change the value.

    >>> metrics.average_precisions([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3]], [[1, -1], [0, 0], [1, 1]]).tolist()
    [0.8333333333333333, 1.0]
    """
    return _per_label(*checked(scores, targets), _steps)


def ap_voc_envelope(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Aps:
    """Return the area under the precision envelope of every label, float64 [K] (PASCAL VOC from 2010 on).

    At each recall the precision is replaced by the best precision at that recall or a higher one, so the value is
    never below `average_precisions`. Query2Label and SADCL report this one. Arguments and NaN as there.

    >>> float(metrics.ap_voc_envelope([0.9, 0.8, 0.7, 0.1], [0, 1, 1, 0]))  # 2/3 at both positives, not 1/2 and 2/3
    0.6666666666666666
    """
    return _per_label(*checked(scores, targets), _envelope)


def ap_voc07(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Aps:
    """Return the 11-point interpolated average precision of every label, float64 [K] (PASCAL VOC 2007).

    The mean over the recalls 0, 0.1, ..., 1 of the best precision at that recall or a higher one. The comparison of
    recalls is done in integers, so that 3 of 10 positives do reach a recall of 0.3. Arguments and NaN as in
    `average_precisions`.

    >>> round(float(metrics.ap_voc07([0.9, 0.8, 0.7, 0.1], [1, 0, 0, 1])), 4)  # 1 up to recall 0.5, then 1/2
    0.7727
    """
    return _per_label(*checked(scores, targets), _eleven_points)


def ap_legacy_krt(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Aps:
    """Return average precision as the KRT and ASL code bases compute it, float64 [K]; for parity only.

    Three differences from `average_precisions`: ties are broken by an unstable sort read backwards (so the value can
    change with the order of the rows and with the machine), the divisor is the number of positives + 1e-8, and a
    label without positives gets 0 and stays in the mean. Scores are ranked in the precision they come in.

    >>> metrics.ap_legacy_krt([[0.9, 0.9], [0.1, 0.1]], [[1, 0], [0, 0]]).round(4).tolist()  # 0 where others say NaN
    [1.0, 0.0]
    """
    s, t = checked(scores, targets)
    raw = np.asarray(scores)
    return _per_label(raw if raw.dtype.kind == "f" else s, t, _krt)


def mean_ap(aps: npt.ArrayLike) -> float:
    """Return the mean of the average precisions that are defined, or NaN if none is.

    aps [K]: one value per label, NaN where the label has no positive among the evaluated rows.

    >>> metrics.mean_ap([0.5, float("nan"), 1.0])
    0.75
    """
    return defined_mean(aps)


def _per_label(scores: npt.NDArray[Any], targets: Targets, value: Callable[[Floats, Targets], float]) -> Aps:
    if scores.ndim not in (1, 2):
        raise DataError(
            f"scores have shape {scores.shape}; rows by labels, [N, K], were expected",
            hint="Put one image per row and one label per column.",
        )
    pairs = zip(_columns(scores), _columns(targets), strict=True)
    return np.array([value(s, t) for s, t in pairs], dtype=np.float64).reshape(scores.shape[1:])


def _columns(matrix: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield the columns of [N, K] (or the one of [N]) as contiguous copies."""
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    block = _LINE // matrix.dtype.itemsize
    for start in range(0, matrix.shape[1], block):
        part = matrix[:, start : start + block]
        columns = np.empty(part.shape[::-1], dtype=matrix.dtype)
        for row in range(0, len(part), _ROWS):  # read where it was just read, and written where it was just written
            columns[:, row : row + _ROWS] = part[row : row + _ROWS].T
        yield from columns


def _ranks(scores: Floats, targets: Targets) -> tuple[Ranks, Ranks]:
    """Return, for the positives in ascending order of score, how many rows are scored at least as high.

    `hits` counts the positives among these and `found` all of them: hits / found is the precision at that threshold,
    hits / P the recall. Both are whole numbers, the same whether they are found by sorting or by counting.
    """
    positive = np.sort(scores.take(np.flatnonzero(targets == 1)))
    everything = scores[targets >= 0] if targets.size and targets.min() < 0 else scores
    hits = positive.size - np.searchsorted(positive, positive)
    counting = positive.size and everything.size >= _MANY and sorts_slowly()
    return hits, counted(everything, positive) if counting else _sorted(everything, positive)


def _sorted(everything: Floats, positive: Floats) -> Ranks:
    """Two sorts of values and none of indices, which NumPy vectorises and which knows no row order."""
    rows = np.sort(everything)
    return rows.size - np.searchsorted(rows, positive)


def counted(everything: Floats, positive: Floats) -> Ranks:
    """Return how many of `everything` [N] are at least as large as each of `positive` [P], without sorting all.

    Scores become whole numbers that rise with them, half as many as there are scores, and are counted. Only where a
    positive shares its number with another row are the scores themselves compared. `positive` rises and is a part of
    `everything`.
    """
    low, high = everything.min(), everything.max()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scale = everything.dtype.type(everything.size // 2) / (high - low)
    if not (np.isfinite(scale) and scale > 0):  # infinities, or one score for all
        return _sorted(everything, positive)
    key, own = (((values - low) * scale).astype(np.int32).astype(np.intp) for values in (everything, positive))
    counts = np.bincount(key)
    above = everything.size - np.cumsum(counts)
    found = above[own] + counts[own]
    shared = np.flatnonzero(counts[own] > 1)
    if shared.size:
        numbers, values = own[shared], positive[shared]  # both rise
        marked = np.zeros(counts.size, dtype=np.bool_)
        marked[numbers] = True
        rest = np.sort(everything.take(np.flatnonzero(marked.take(key))))
        new = np.ones(numbers.size, dtype=np.bool_)
        np.not_equal(numbers[1:], numbers[:-1], out=new[1:])
        higher = rest.size - np.cumsum(counts[numbers[new]])  # of `rest`, behind each number
        found[shared] = above[numbers] + (rest.size - np.searchsorted(rest, values)) - higher[np.cumsum(new) - 1]
    ranks: Ranks = found
    return ranks


@functools.cache
def sorts_slowly() -> bool:
    """Say whether NumPy's sort takes longer than counting: on some processors that store vectors slowly it does.

    Measured once in a process, on a few thousand numbers. It decides how a value is found, never the value.
    """
    numbers = np.random.default_rng(0).random(1 << 14, dtype=np.float32)
    fastest = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        np.sort(numbers)
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest / numbers.size > _SLOW


def _steps(scores: Floats, targets: Targets) -> float:
    hits, found = _ranks(scores, targets)
    # each positive contributes the precision at the end of its own group of ties
    return float((hits / found).sum() / hits.size) if hits.size else math.nan


def _envelope(scores: Floats, targets: Targets) -> float:
    hits, found = _ranks(scores, targets)
    # ascending scores are descending recalls, so the running maximum is the envelope
    return float(np.maximum.accumulate(hits / found).sum() / hits.size) if hits.size else math.nan


def _eleven_points(scores: Floats, targets: Targets) -> float:
    hits, found = _ranks(scores, targets)
    if not hits.size:
        return math.nan
    best = np.maximum.accumulate(hits / found)
    reached = 10 * hits[:, None] >= np.arange(11) * hits.size  # recall >= level, without rounding
    return float(best[reached.sum(axis=0) - 1].sum() / 11)


def _krt(scores: Floats, targets: Targets) -> float:
    known = targets >= 0
    order = scores[known].argsort()[::-1]
    ranks = np.flatnonzero(targets[known][order] == 1) + 1
    return float((np.arange(1, ranks.size + 1) / ranks).sum() / (ranks.size + 1e-8))
