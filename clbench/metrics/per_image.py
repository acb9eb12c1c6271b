"""Measures of multi-label ranking that look at an image's labels together, and the area under the ROC curve.

Definitions of Schapire and Singer, "BoosTexter" (Machine Learning 39, 2000), as Tsoumakas et al., "Mining
Multi-label Data" (2010, section 7) and scikit-learn have them. scores [N, K] are real numbers, higher means more
likely; targets [N, K] are 1, 0, or -1 for unknown: an unknown label of an image takes no part in what is said of it.
Nothing depends on the order of labels or images. Fractions, but for `coverage`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from clbench.errors import UsageError
from clbench.metrics.inputs import checked_matrix, defined_mean

Values = npt.NDArray[np.float64]


def aurocs(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Values:
    """Return the area under the ROC curve of every label, float64 [K]; NaN without positives or without negatives.

    The share of pairs of a positive and a negative image in which the positive scores higher, ties counting half
    (Mann and Whitney 1947; Hanley and McNeil 1982).

    >>> metrics.aurocs([[0.9, 0.1], [0.8, 0.2], [0.1, 0.2]], [[1, 0], [0, 1], [1, 0]]).tolist()
    [0.5, 0.75]
    """
    s, t = checked_matrix(scores, targets)
    found = np.full(s.shape[1], np.nan)
    for label in range(s.shape[1]):
        positive, negative = s[t[:, label] == 1, label], np.sort(s[t[:, label] == 0, label])
        if positive.size and negative.size:
            below = np.searchsorted(negative, positive, side="left").sum()
            alike = np.searchsorted(negative, positive, side="right").sum() - below
            found[label] = (float(below) + float(alike) / 2) / (positive.size * negative.size)
    return found


def auroc(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the mean of `aurocs` over the labels that have one. scores and targets [N, K].

    >>> metrics.auroc([[0.9, 0.1], [0.8, 0.2], [0.1, 0.2]], [[1, 0], [0, 1], [1, 0]])  # of 0.5 and 0.75
    0.625
    """
    return defined_mean(aurocs(scores, targets))


def ranking_loss(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the mean over images of the share of (present, absent) pairs of labels that are ordered wrongly.

    A tie counts as wrong. Images without a present or without an absent label count 0, as in scikit-learn. [N, K].

    >>> metrics.ranking_loss([[0.9, 0.2, 0.1], [0.3, 0.6, 0.6]], [[1, 0, 1], [0, 1, 0]])  # 1 of 2 and 1 of 2
    0.5
    """
    s, t = checked_matrix(scores, targets)
    if not s.size:
        return math.nan
    # best first; among labels that tie the absent ones come first, so that a tie is a mistake
    order = np.lexsort((t == 1, -s.astype(np.float64)), axis=1)
    ordered = np.take_along_axis(t, order, axis=1)
    absent_before = np.cumsum(ordered == 0, axis=1)
    wrong = np.where(ordered == 1, absent_before, 0).sum(axis=1)
    pairs = (t == 1).sum(axis=1) * (t == 0).sum(axis=1)
    return float(np.mean(wrong / np.maximum(pairs, 1)))


def one_error(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the share of images whose best-scored label is absent; labels that tie for it share the image.

    Images without a present label, on which every method errs, are left out. [N, K].

    >>> metrics.one_error([[0.9, 0.2], [0.3, 0.6], [0.5, 0.5]], [[1, 0], [1, 0], [0, 1]])  # (0 + 1 + 1/2) / 3
    0.5
    """
    precision = _precisions_at(scores, targets, k=1)
    return 1 - precision if not math.isnan(precision) else math.nan


def precision_at(scores: npt.ArrayLike, targets: npt.ArrayLike, *, k: int) -> float:
    """Return P@k: the mean over images of the share of its k best-scored labels that are present.

    Labels that tie for the last places share them. Images without a present label are left out; NaN where no image is
    left, or has k known labels. UsageError: k below 1. [N, K].

    >>> metrics.precision_at([[0.9, 0.2, 0.8], [0.3, 0.6, 0.6]], [[1, 0, 0], [1, 0, 1]], k=2)  # 1/2 and 1/2
    0.5
    """
    if k < 1:
        raise UsageError(f"k is {k}; at least 1 was expected", hint="Pass k=1.")
    return _precisions_at(scores, targets, k=k)


def coverage(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return how many labels, best first, must be looked at to meet all present ones, in the mean over images.

    Labels that tie are looked at together, as in scikit-learn; BoosTexter's is one less. Images without a present
    label count 0. At best it is the mean number of present labels. [N, K].

    >>> metrics.coverage([[0.9, 0.2, 0.1], [0.3, 0.6, 0.6]], [[1, 0, 1], [0, 1, 0]])  # 3 and 2
    2.5
    """
    s, t = checked_matrix(scores, targets)
    if not s.size:
        return math.nan
    lowest = np.where(t == 1, s, np.inf).min(axis=1)
    return float(((s >= lowest[:, None]) & (t >= 0)).sum(axis=1).mean())


def hamming_loss(scores: npt.ArrayLike, targets: npt.ArrayLike, *, threshold: float) -> float:
    """Return the share of known entries that are decided wrongly where a label is predicted above `threshold`. [N, K].

    >>> metrics.hamming_loss([[0.9, 0.2], [0.6, 0.7]], [[1, 1], [0, 1]], threshold=0.5)  # 2 of 4
    0.5
    """
    s, t = checked_matrix(scores, targets)
    known = t >= 0
    wrong = (s > s.dtype.type(threshold)) != (t == 1)
    return float((wrong & known).sum() / known.sum()) if known.any() else math.nan


def _precisions_at(scores: npt.ArrayLike, targets: npt.ArrayLike, *, k: int) -> float:
    s, t = checked_matrix(scores, targets)
    fitting = (t == 1).any(axis=1) & ((t >= 0).sum(axis=1) >= k)
    if not fitting.any():
        return math.nan
    s, t = s[fitting], t[fitting]
    ranked = np.where(t >= 0, s, s.dtype.type(-np.inf))
    last = np.partition(ranked, -k, axis=1)[:, -k, None]
    above, level = ranked > last, (ranked == last) & (t >= 0)
    room = k - above.sum(axis=1)
    hits = (above & (t == 1)).sum(axis=1) + room * (level & (t == 1)).sum(axis=1) / level.sum(axis=1)
    return float(np.mean(hits / k))
