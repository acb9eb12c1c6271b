"""Thresholds for decisions, chosen on validation images."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

UNDECIDED = 0.5
"""The threshold of a label that no validation image tells anything of."""


def best_thresholds(scores: npt.NDArray[np.float32], truth: npt.NDArray[np.int8]) -> list[float]:
    """Return for each label the threshold with the best F1, half way between two scores.

    scores [N, L] in [0, 1], truth [N, L] in 1, 0 and -1 (unknown, left out). Of equally good ones the highest; one half
    for a label without a positive.
    """
    return [_best(scores[:, label], truth[:, label]) for label in range(scores.shape[1])]


def _best(scores: npt.NDArray[np.float32], truth: npt.NDArray[np.int8]) -> float:
    known = truth >= 0
    if not (truth == 1).any():
        return UNDECIDED
    order = np.argsort(-scores[known], kind="stable")
    s, positive = scores[known][order].astype(np.float64), truth[known][order] == 1
    f1 = 2 * np.cumsum(positive) / (np.arange(1, len(s) + 1) + positive.sum())
    below = np.append(s[1:], 0.0)
    f1[s == below] = -1.0  # a threshold cannot part equal scores
    best = int(np.argmax(f1))
    return float((s[best] + below[best]) / 2)
