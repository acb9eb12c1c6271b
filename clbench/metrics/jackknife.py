"""How far other test images would move mAP, from one pass over the scores.

The infinitesimal jackknife (Jaeckel 1972; Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982,
chapter 6): every image has a weight, the derivative of the measure by that weight is the image's influence, and the
variance is the sum of the squared influences. It agrees with the bootstrap as the test set grows, and costs no more
than the measure itself.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from clbench.metrics.inputs import checked_matrix

Influence = npt.NDArray[np.float64]


def map_influence(scores: npt.ArrayLike, targets: npt.ArrayLike) -> Influence:
    """Return the derivative of mAP by the weight of every image, float64 [N]; together they add up to 0.

    scores and targets [N, K] as in `average_precisions`, ties grouped, unknown targets (-1) without influence. Labels
    without a positive are left out; NaN where no label has one.

    With w_i = 1 for every image, H(p) and A(p) the weight of the positives and of all images scored at least as high
    as the positive p, and P that of all positives, AP = sum_p w_p H(p) / A(p) / P, so for an image i
    P dAP/dw_i = [i positive] (H(i) / A(i) - AP + sum_p 1 / A(p)) - sum_p H(p) / A(p)^2,
    both sums over the positives p that score no higher than i.

    >>> [round(float(u), 4) for u in map_influence([[0.9], [0.8], [0.1]], [[1], [0], [1]])]  # AP = (1/1 + 2/3) / 2
    [0.1389, -0.1111, -0.0278]
    """
    s, t = checked_matrix(scores, targets)
    found = np.zeros(len(s))
    defined = 0
    for label in range(s.shape[1]):
        rows = np.flatnonzero(t[:, label] >= 0)
        column, is_positive = s[rows, label], t[rows, label] == 1
        positive = np.sort(column[is_positive])
        if not positive.size:
            continue
        defined += 1
        ordered = np.sort(column)
        hits = positive.size - np.searchsorted(positive, positive)
        above = ordered.size - np.searchsorted(ordered, positive)
        precision = hits / above
        moved = np.concatenate([[0.0], np.cumsum(precision / above)])
        gained = np.concatenate([[0.0], np.cumsum(1 / above)])
        place = np.searchsorted(positive, column, side="right")
        influence = -moved[place]
        own = place[is_positive]
        influence[is_positive] += precision[own - 1] - precision.mean() + gained[own]
        found[rows] += influence / positive.size
    return found / defined if defined else np.full(len(s), math.nan)


def map_error(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the standard error of mAP from the test images, NaN where no label has a positive.

    scores and targets [N, K] as in `average_precisions`. With few images, or few positives of most labels, it is too
    small: it cannot know of a precision-recall curve that other images would bend.

    >>> round(map_error([[0.9], [0.8], [0.1]], [[1], [0], [1]]), 4)  # sqrt(0.1389^2 + 0.1111^2 + 0.0278^2)
    0.18
    """
    influence = map_influence(scores, targets)
    return math.sqrt(math.fsum((influence**2).tolist()))
