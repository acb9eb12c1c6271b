"""Thresholds for decisions, chosen for the best F1 on validation images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from clbench.metrics.rules import Ranking

Scores = npt.NDArray[np.float32] | npt.NDArray[np.float64]

UNDECIDED = 0.5
"""The threshold of a label that no validation image tells anything of."""
EACH, ONE = "tuned", "tuned-one"
"""The rules whose thresholds validation images choose: one for each label, one for all labels."""


@dataclass(frozen=True)
class Thresholds:
    """What validation images say after a session: `each` [learned] for each label, `one` for all, as probabilities."""

    images: int
    """Validation images that they were chosen on."""
    each: list[float]
    one: float

    def by_rule(self) -> Mapping[str, list[float]]:
        """Return the thresholds [learned] under each rule that is chosen on validation images."""
        return MappingProxyType({EACH: self.each, ONE: [self.one] * len(self.each)})


def chosen_thresholds(scores: Scores, truth: npt.NDArray[np.int8]) -> Thresholds:
    """Return the thresholds of both rules for probabilities [N, L] and truth [N, L] in 1, 0 and -1 (unknown)."""
    return Thresholds(len(scores), best_thresholds(scores, truth), best_threshold(scores, truth))


def best_thresholds(scores: Scores, truth: npt.NDArray[np.int8]) -> list[float]:
    """Return for each label the threshold with the best F1 of that label, half way between two scores.

    scores [N, L] in [0, 1], truth [N, L] in 1, 0 and -1 (unknown, left out). Of equally good ones the highest; one half
    for a label without a positive.
    """
    return [best_threshold(scores[:, label], truth[:, label]) for label in range(scores.shape[1])]


def best_threshold(scores: Scores, truth: npt.NDArray[np.int8]) -> float:
    """Return the one threshold with the best F1 of all decisions together: OF1, where several labels are given.

    scores and truth of one shape, [N] or [N, L], as in `best_thresholds`.
    """
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


def as_probabilities(scores: Scores, *, ranking: Ranking) -> npt.NDArray[np.float64]:
    """Return scores of a kind as probabilities, of the same shape.

    >>> as_probabilities(np.array([[0.0, np.log(4)]]), ranking="logits").round(6).tolist()
    [[0.5, 0.8]]
    """
    exact = scores.astype(np.float64)
    return exact if ranking == "probabilities" else np.exp(-np.logaddexp(0.0, -exact))
