"""The decision rules of records, on whatever images were ranked by: logits, or probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.f1 import Counts, counts, counts_top

Ranking = Literal["logits", "probabilities"]
"""What kind of scores a matrix holds. Both rank a label's images alike, but where a sigmoid makes one of two logits."""

RULES = ("0.5", "0.8", "top3")
"""The rules that records have counts for; a threshold is a probability."""


def threshold_on(ranking: Ranking, probability: float) -> float:
    """Return where a score of this kind decides as a probability above `probability` does.

    >>> threshold_on("logits", 0.5), round(threshold_on("logits", 0.8), 6)  # ln (0.8 / 0.2) = ln 4
    (0.0, 1.386294)
    """
    if ranking == "probabilities":
        return probability
    return math.copysign(math.inf, probability - 0.5) if probability in (0.0, 1.0) else _log_odds(probability)


def decide(
    rule: str,
    scores: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    ranking: Ranking,
    chosen: Mapping[str, Sequence[float]] | None = None,
) -> Counts:
    """Return the counts under a rule as records name them. scores and truth are [N, K].

    `chosen` has the thresholds [K], as probabilities, of rules for which validation images chose them. Raises DataError
    for a name that is no rule.
    """
    if chosen and rule in chosen:
        return counts(scores, truth, threshold=[threshold_on(ranking, found) for found in chosen[rule]])
    try:
        if rule.startswith("top"):
            return counts_top(scores, truth, k=int(rule.removeprefix("top")))
        return counts(scores, truth, threshold=threshold_on(ranking, float(rule)))
    except ValueError as error:
        raise DataError(f"counts: {rule!r} is neither a threshold nor `top` and a number.") from error


def _log_odds(probability: float) -> float:
    return math.log(probability) - math.log1p(-probability)
