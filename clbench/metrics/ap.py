"""Average precision per label: the area under the precision-recall steps, with ties grouped exactly.

All functions rank the rows of each label by score, leave out rows whose target is unknown (-1) and give fractions
between 0 and 1. A label without a positive among the evaluated rows has no average precision: NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.inputs import Floats, Targets, checked, defined_mean

Aps = npt.NDArray[np.float64]
Ranks = npt.NDArray[np.intp]

# columns are copied into rows this many at a time: 16 float32 fill a cache line, and the copy stays small
_BLOCK = 16


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
    for start in range(0, matrix.shape[1], _BLOCK):
        yield from np.ascontiguousarray(matrix[:, start : start + _BLOCK].T)


def _ranks(scores: Floats, targets: Targets) -> tuple[Ranks, Ranks]:
    """Split sort: two sorts of values and none of indices, which NumPy vectorises and which knows no row order.

    For the positives in ascending order of score, `hits` counts the positives scored at least as high and `found`
    all rows scored at least as high: hits / found is the precision at that threshold, hits / P the recall.
    """
    positive = np.sort(scores[targets == 1])
    everything = np.sort(scores[targets >= 0] if (targets < 0).any() else scores)
    hits = positive.size - np.searchsorted(positive, positive)
    found = everything.size - np.searchsorted(everything, positive)
    return hits, found


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
