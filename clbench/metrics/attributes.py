"""The two families of figures of pedestrian attribute recognition: per attribute (mA) and per image.

Definitions of Li et al., "A Richly Annotated Dataset for Pedestrian Attribute Recognition" (arXiv 1603.07054), with
the decisions of its field: an attribute is predicted where its score is greater than the threshold. Unknown targets
are left out. Fractions, not percent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clbench.metrics.f1 import harmonic, predicted
from clbench.metrics.inputs import checked_matrix, defined_mean


class Instance(NamedTuple):
    """Accuracy, precision, recall and F1 over images."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def mean_accuracies(
    scores: npt.ArrayLike, targets: npt.ArrayLike, *, threshold: float = 0.5
) -> npt.NDArray[np.float64]:
    """Return the balanced accuracy of every attribute [K]: half the recall of positives, half that of negatives.

    scores [N, K] and targets [N, K] in {1, 0, -1 = unknown}. NaN for an attribute that lacks positives or negatives.

    >>> scores, targets = [[0.9, 0.2], [0.6, 0.7], [0.4, 0.8]], [[1, 0], [0, 1], [1, 1]]
    >>> metrics.mean_accuracies(scores, targets).tolist()  # (1/2 + 0) / 2 and (1 + 1) / 2
    [0.25, 1.0]
    """
    s, t = checked_matrix(scores, targets)
    prediction = predicted(s, threshold=threshold)
    positives, negatives = np.count_nonzero(t == 1, axis=0), np.count_nonzero(t == 0, axis=0)
    of_positives = np.count_nonzero(prediction & (t == 1), axis=0) / np.maximum(positives, 1)
    of_negatives = np.count_nonzero(~prediction & (t == 0), axis=0) / np.maximum(negatives, 1)
    return np.where((positives > 0) & (negatives > 0), (of_positives + of_negatives) / 2, np.nan)


def mean_accuracy(scores: npt.ArrayLike, targets: npt.ArrayLike, *, threshold: float = 0.5) -> float:
    """Return mA, the mean of `mean_accuracies` over the attributes for which it is defined.

    scores and targets [N, K] as there.

    >>> metrics.mean_accuracy([[0.9, 0.2], [0.6, 0.7], [0.4, 0.8]], [[1, 0], [0, 1], [1, 1]])
    0.625
    """
    return defined_mean(mean_accuracies(scores, targets, threshold=threshold))


def instance(scores: npt.ArrayLike, targets: npt.ArrayLike, *, threshold: float = 0.5) -> Instance:
    """Return accuracy, precision and recall averaged over images, and the harmonic mean of the last two.

    With Y the true and P the predicted attributes of an image: |Y and P| / |Y or P|, / |P| and / |Y|, each 0 where
    its divisor is 0, as in the published code. Images without a known attribute are left out; NaN if none is left.
    scores and targets [N, K] as for `mean_accuracies`.

    >>> found = metrics.instance([[0.9, 0.2], [0.6, 0.7], [0.4, 0.8]], [[1, 0], [0, 1], [1, 1]])
    >>> [round(value, 3) for value in found]  # accuracies 1, 1/2, 1/2; precisions 1, 1/2, 1; recalls 1, 1, 1/2
    [0.667, 0.833, 0.833, 0.833]
    """
    s, t = checked_matrix(scores, targets)
    prediction = predicted(s, threshold=threshold) & (t >= 0)
    images = (t >= 0).any(axis=1)
    both = np.count_nonzero(prediction & (t == 1), axis=1)[images]
    either = np.count_nonzero(prediction | (t == 1), axis=1)[images]
    found, true = np.count_nonzero(prediction, axis=1)[images], np.count_nonzero(t == 1, axis=1)[images]
    accuracy, precision, recall = (defined_mean(both / np.maximum(part, 1)) for part in (either, found, true))
    return Instance(accuracy, precision, recall, harmonic(precision, recall))
