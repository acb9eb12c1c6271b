"""Curves of one label: precision over recall, and how often a probability comes true."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError, UsageError
from clbench.metrics.inputs import checked

Values = npt.NDArray[np.float64]


class PrecisionRecall(NamedTuple):
    """Precision and recall [T] where a label is predicted at scores of at least `threshold` [T], the highest first."""

    threshold: Values
    precision: Values
    recall: Values


class Calibration(NamedTuple):
    """Bins of probability, float64 [B]: their edges, images in them, mean probability and share of present labels."""

    low: Values
    high: Values
    images: npt.NDArray[np.int64]
    predicted: Values
    present: Values


def precision_recall(scores: npt.ArrayLike, targets: npt.ArrayLike) -> PrecisionRecall:
    """Return precision and recall of one label at each of its distinct scores; no point where no image is positive.

    scores [N] and targets [N] in {1, 0, -1 = unknown, left out}. Average precision is the sum of recall gained times
    precision over these points.

    >>> found = metrics.precision_recall([0.9, 0.8, 0.1], [1, 0, 1])
    >>> found.precision.round(3).tolist(), found.recall.tolist()
    ([1.0, 0.5, 0.667], [0.5, 0.5, 1.0])
    """
    s, t = _known(scores, targets)
    order = np.argsort(-s, kind="stable")
    s, t = s[order], t[order] == 1
    if not t.any():
        return PrecisionRecall(*(np.empty(0) for _ in range(3)))
    ends = np.append(np.flatnonzero(np.diff(s)), len(s) - 1)
    hits = np.cumsum(t)[ends]
    return PrecisionRecall(s[ends].astype(np.float64), hits / (ends + 1), hits / hits[-1])


def calibration(probabilities: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = 10) -> Calibration:
    """Return how often a label is present where its probability lies in each of `bins` equally wide bins.

    probabilities [N] in [0, 1] and targets [N] in {1, 0, -1 = unknown, left out}. A bin holds its upper edge, the
    first one 0 too; without images its means are NaN. Reliability diagrams of Guo et al. (ICML 2017), for one label.
    UsageError: fewer than one bin; DataError: numbers that are no probabilities.

    >>> found = metrics.calibration([0.1, 0.4, 0.9, 0.8], [0, 1, 1, 1], bins=2)
    >>> found.images.tolist(), found.predicted.round(2).tolist(), found.present.tolist()
    ([2, 2], [0.25, 0.85], [0.5, 1.0])
    """
    if bins < 1:
        raise UsageError(f"bins is {bins}; at least 1 was expected", hint="Pass bins=10.")
    p, t = _known(probabilities, targets)
    if p.size and (p.min() < 0 or p.max() > 1):
        raise DataError(
            f"probabilities lie between {p.min():.4g} and {p.max():.4g}; 0 to 1 was expected",
            hint="Take the sigmoid of logits first.",
        )
    place = np.clip(np.ceil(p.astype(np.float64) * bins).astype(np.int64) - 1, 0, bins - 1)
    images = np.bincount(place, minlength=bins)
    edges = np.linspace(0, 1, bins + 1).round(12)
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(place, weights=p, minlength=bins) / images
        present = np.bincount(place, weights=t == 1, minlength=bins) / images
    return Calibration(edges[:-1], edges[1:], images.astype(np.int64), predicted, present)


def calibration_error(found: Calibration) -> float:
    """Return the mean distance of predicted and present share, weighted by images (Naeini et al., AAAI 2015).

    NaN without images.

    >>> metrics.calibration_error(metrics.calibration([0.1, 0.4, 0.9, 0.8], [0, 1, 1, 1], bins=2))
    0.2
    """
    total = int(found.images.sum())
    if not total:
        return float("nan")
    filled = found.images > 0
    distance = np.abs(found.predicted - found.present)[filled] * found.images[filled]
    return round(float(distance.sum() / total), 12)


def _known(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int8]]:
    s, t = checked(scores, targets)
    if s.ndim != 1:
        raise DataError(f"scores have shape {s.shape}; one label's scores, [N], were expected", hint="Take a column.")
    known = t >= 0
    return s[known], t[known]
