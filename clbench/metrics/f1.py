"""Precision, recall and F1 over labels, all of them derived from three counts per label.

Two things are called CF1 in the literature; here they have two names. `cf1_harmonic` is the harmonic mean of the mean
precision and the mean recall (ML-GCN, ASL, Query2Label, PRS, AGCN). `macro_f1` is the mean of
the F1 of the labels (what KRT, CSC, L3A, MULTI-LANE and SADCL print as CF1).

Means over labels (CP, CR, CF1, macro-F1) run over the labels with at least one positive among the evaluated rows, as
in PRS and as for AP; where every label has one, as on the test sets of COCO, VOC and NUS-WIDE, that is the mean over
all labels of KRT and of the static literature. Overall figures (OP, OR, OF1) pool the decisions on every label. A
label that is never predicted has precision 0. Without any positive at all every figure is NaN. Fractions, not percent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from clbench.errors import UsageError
from clbench.metrics.inputs import Floats, Targets, checked_matrix, defined_mean

PerLabel = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Counts:
    """True positives, false positives and false negatives of every label, int64 [K] each.

    >>> c = metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2]))
    >>> metrics.cp(c), metrics.cr(c)  # precisions 1/4 and 1, recalls 1 and 1/2
    (0.625, 0.75)
    """

    tp: npt.NDArray[np.int64]
    fp: npt.NDArray[np.int64]
    fn: npt.NDArray[np.int64]


def counts(scores: npt.ArrayLike, targets: npt.ArrayLike, *, threshold: npt.ArrayLike) -> Counts:
    """Return the counts when a label is predicted where its score is greater than `threshold`, one or one a label [K].

    scores [N, K] and targets [N, K] in {1, 0, -1 = unknown, not counted}. The threshold is rounded to the precision
    of the scores, and a score equal to it is no prediction. DataError as for average precision; UsageError: a
    threshold that is NaN.

    >>> found = metrics.counts([[0.9, 0.2], [0.6, 0.7], [0.4, 0.8]], [[1, 0], [0, 1], [1, 1]], threshold=0.5)
    >>> found.tp.tolist(), found.fp.tolist(), found.fn.tolist()
    ([1, 2], [1, 0], [1, 0])
    """
    s, t = checked_matrix(scores, targets)
    return _count(predicted(s, threshold=threshold), t)


def counts_top(scores: npt.ArrayLike, targets: npt.ArrayLike, *, k: int = 3, threshold: float | None = None) -> Counts:
    """Return the counts when the `k` labels with the highest scores of each row are predicted.

    A label is predicted where fewer than k labels of its row score higher, so labels that tie for the last place all
    are, and no order of the labels matters. Unknown labels take no place. With `threshold` the prediction must also
    score greater than it: ML-GCN and its successors report top-3 that way, with 0.5.
    UsageError: k below 1. scores and targets are [N, K].

    >>> found = metrics.counts_top([[0.9, 0.2], [0.6, 0.7], [0.4, 0.8]], [[1, 0], [0, 1], [1, 1]], k=1)
    >>> found.tp.tolist(), found.fp.tolist(), found.fn.tolist()
    ([1, 2], [0, 0], [1, 0])
    """
    s, t = checked_matrix(scores, targets)
    if k < 1:
        raise UsageError(f"k is {k}; at least 1 was expected", hint="Pass k=3.")
    ranked = np.where(t < 0, s.dtype.type(-np.inf), s)
    places = min(k, s.shape[1])
    top = ranked >= np.partition(ranked, -places, axis=1)[:, -places, None]
    return _count(top if threshold is None else top & predicted(s, threshold=threshold), t)


def predicted(scores: Floats, *, threshold: npt.ArrayLike) -> Bools:
    """Return where a score is greater than the threshold, which is rounded to the precision of the scores.

    scores and result are [N, K], the threshold is one or one for each label [K]. Raises UsageError where it is
    NaN.
    """
    limits = np.asarray(threshold, dtype=np.float64)
    if np.isnan(limits).any():
        raise UsageError("the threshold is NaN; a number was expected", hint="Pass threshold=0.5.")
    return np.asarray(scores > limits.astype(scores.dtype))


def precisions(c: Counts) -> PerLabel:
    """Return the precision of every label [K]: 0 where nothing was predicted, NaN for a label without positives."""
    return np.where(_defined(c), c.tp / np.maximum(c.tp + c.fp, 1), np.nan)


def recalls(c: Counts) -> PerLabel:
    """Return the recall of every label [K], NaN for a label without positives."""
    return np.where(_defined(c), c.tp / np.maximum(c.tp + c.fn, 1), np.nan)


def f1s(c: Counts) -> PerLabel:
    """Return the F1 of every label [K], 2 tp / (2 tp + fp + fn), NaN for a label without positives."""
    return np.where(_defined(c), 2 * c.tp / np.maximum(2 * c.tp + c.fp + c.fn, 1), np.nan)


def cp(c: Counts) -> float:
    """Return CP, the mean precision of the labels that have positives.

    >>> metrics.cp(metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2])))  # (1/4 + 1) / 2
    0.625
    """
    return defined_mean(precisions(c))


def cr(c: Counts) -> float:
    """Return CR, the mean recall of the labels that have positives.

    >>> metrics.cr(metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2])))  # (1 + 1/2) / 2
    0.75
    """
    return defined_mean(recalls(c))


def cf1_harmonic(c: Counts) -> float:
    """Return CF1 as the static literature defines it: the harmonic mean of CP and CR (0 when both are 0).

    >>> c = metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2]))
    >>> round(metrics.cf1_harmonic(c), 4)  # of 0.625 and 0.75
    0.6818
    """
    return harmonic(cp(c), cr(c))


def macro_f1(c: Counts) -> float:
    """Return the mean of the F1 of the labels that have positives; KRT and its successors print it as CF1.

    >>> c = metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2]))
    >>> round(metrics.macro_f1(c), 4)  # (2/5 + 4/6) / 2
    0.5333
    """
    return defined_mean(f1s(c))


def op(c: Counts) -> float:
    """Return OP, the precision of the decisions on all labels together (0 when nothing was predicted).

    >>> metrics.op(metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2])))  # 3 of 6
    0.5
    """
    return _overall(c, hits=c.tp, among=c.tp + c.fp)


def or_(c: Counts) -> float:
    """Return OR, the recall of the decisions on all labels together.

    >>> metrics.or_(metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2])))  # 3 of 5
    0.6
    """
    return _overall(c, hits=c.tp, among=c.tp + c.fn)


def of1(c: Counts) -> float:
    """Return OF1, the F1 of the decisions on all labels together: 2 tp / (2 tp + fp + fn).

    >>> c = metrics.Counts(tp=np.array([1, 2]), fp=np.array([3, 0]), fn=np.array([0, 2]))
    >>> round(metrics.of1(c), 4)  # 6 / (6 + 3 + 2)
    0.5455
    """
    return _overall(c, hits=2 * c.tp, among=2 * c.tp + c.fp + c.fn)


FROM_COUNTS: Mapping[str, Callable[[Counts], float]] = MappingProxyType(
    {"cf1_harmonic": cf1_harmonic, "macro_f1": macro_f1, "of1": of1, "cp": cp, "cr": cr, "op": op, "or": or_}
)


def harmonic(a: float, b: float) -> float:
    """Return the harmonic mean of two fractions, 0 when both are 0."""
    return 2 * a * b / (a + b) if a + b != 0 else 0.0


def _count(prediction: Bools, targets: Targets) -> Counts:
    positive = targets == 1
    tp = _per_column(prediction & positive)
    return Counts(tp=tp, fp=_per_column(prediction & (targets == 0)), fn=_per_column(positive) - tp)


def _per_column(flags: Bools) -> npt.NDArray[np.int64]:
    return np.asarray(np.count_nonzero(flags, axis=0), dtype=np.int64)


def _defined(c: Counts) -> Bools:
    return c.tp + c.fn > 0


def _overall(c: Counts, *, hits: npt.NDArray[np.int64], among: npt.NDArray[np.int64]) -> float:
    return int(hits.sum()) / max(int(among.sum()), 1) if _defined(c).any() else math.nan
