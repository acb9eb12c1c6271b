"""The measures of a session whose scores are too many to be held, from parts of them; each part is seen once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clbench.metrics.of_session import Evaluation, Scores, Tallies, Truth, widened
from clbench.metrics.rules import RULES, Ranking
from clbench.metrics.streamed import StreamedAP, bins_within
from clbench.metrics.thresholds import Thresholds

HELD = 1 << 28
"""Scores of a session that are held, 1 GiB, so that their AP is exact; of more, AP are estimates with a bound."""
STATE = 256 << 20
"""Bytes of histograms for one of the two test sets."""
STREAMED = "streamed-ap"
"""The mark of a row whose AP are such estimates."""


def is_streamed(images: int, labels: int) -> bool:
    """Say whether AP of so many images and labels are estimates."""
    return images * labels > HELD


def kept_bytes(images: int, labels: int, *, keep_scores: bool) -> int:
    """Return the size of the score file of a session with so many images and labels, 0 where none is written."""
    return 4 * images * labels if keep_scores or not is_streamed(images, labels) else 0


def in_points(bound: float) -> str:
    """Return a bound as text, rounded up: "0.13 points".

    >>> in_points(0.00121)
    '0.13 points'
    """
    return f"{math.ceil(1e4 * bound - 1e-9) / 100:.2f} points"


class MeasuredParts:
    """Takes a session's scores part by part and gives what `measured` gives of all, AP from histograms, with its bound.

    The same scores give the same numbers, in whatever parts they come. `all_growing` says that all images are in the
    growing test set, which then needs no histograms of its own.
    """

    def __init__(
        self,
        learned: int,
        *,
        ranking: Ranking,
        rules: Sequence[str] = RULES,
        chosen: Thresholds | None = None,
        all_growing: bool = False,
    ) -> None:
        bins = bins_within(STATE, labels=learned)
        self._ranking = ranking
        self._fixed = StreamedAP(learned, bins=bins)
        self._growing = self._fixed if all_growing else StreamedAP(learned, bins=bins)
        self._tally = Tallies(rules, chosen)

    def add(self, scores: Scores, *, truth: Truth, growing: npt.NDArray[np.bool_]) -> None:
        """Measure images: scores [n, learned] and truth [n, learned]; those where `growing` [n] holds in both sets."""
        logits = scores if self._ranking == "logits" else _logits(scores)
        self._fixed.add(logits, truth)
        if self._growing is not self._fixed:
            self._growing.add(logits[growing], truth[growing])
        self._tally.add(scores[growing], truth[growing], ranking=self._ranking)

    def result(self, *, labels: int) -> Evaluation:
        """Return the measures of everything that was added, rows [labels]."""
        low, fixed, high = self._fixed.values()
        same = self._growing is self._fixed
        lowest, growing, highest = (low, fixed, high) if same else self._growing.values()
        apart = [fixed - low, high - fixed, growing - lowest, highest - growing]
        return Evaluation(
            growing=widened(growing, labels=labels),
            fixed=widened(fixed, labels=labels),
            counts=self._tally.widened(labels),
            bound=float(np.nanmax(apart, initial=0.0)),
        )


def _logits(probabilities: Scores) -> Scores:
    with np.errstate(divide="ignore"):
        found: Scores = np.log(probabilities) - np.log1p(-probabilities)
    return found
