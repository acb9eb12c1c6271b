"""What one session's scores say: AP of every label on growing and fixed test set, counts by decision rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clbench.metrics.ap import average_precisions
from clbench.metrics.f1 import Counts
from clbench.metrics.rules import RULES, Ranking, decide
from clbench.metrics.thresholds import Thresholds

Tally = dict[str, list[int | None]]
Values = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.int8]

PART = 1 << 24
"""Scores that are measured together: copies of them are made."""


@dataclass(frozen=True)
class Evaluation:
    """What one session's scores say: rows [K] of the AP matrices (NaN where undefined) and of the counts."""

    growing: Values
    fixed: Values
    counts: dict[str, Tally]
    bound: float | None = None
    """How far an AP may lie from the exact one; None where all scores were there."""


def measured(
    scores: Scores,
    *,
    truth: Truth,
    growing: npt.NDArray[np.bool_],
    learned: int,
    ranking: Ranking,
    rules: Sequence[str] = RULES,
    chosen: Thresholds | None = None,
) -> Evaluation:
    """Return what `scores` [n, seen] of the fixed test set say against `truth` int8 [n, K], row by row the same images.

    The first `learned` labels are scored on the growing test set, the rows where `growing` [n] holds, and on the fixed
    one; the others are undefined. `chosen` are the thresholds that validation images chose, where there are such.
    Scores may be mapped from a file and truth a view of lists: parts of them are read.
    """
    step = max(PART // max(len(scores), 1), 32)
    found: list[tuple[Values, Values]] = []
    for first in range(0, learned, step):
        columns = slice(first, min(first + step, learned))
        s, t = scores[:, columns], truth[:, columns]
        fixed = average_precisions(s, t)
        found.append((fixed if growing.all() else average_precisions(s[growing], t[growing]), fixed))
    tally = Tallies(rules, chosen)
    step = max(PART // max(learned, 1), 1)
    for rows in (np.flatnonzero(growing)[first : first + step] for first in range(0, max(int(growing.sum()), 1), step)):
        tally.add(scores[rows, :learned], truth[rows, :learned], ranking=ranking)
    labels = truth.shape[1]
    return Evaluation(
        growing=widened(np.concatenate([part for part, _ in found]), labels=labels),
        fixed=widened(np.concatenate([part for _, part in found]), labels=labels),
        counts=tally.widened(labels),
    )


class Tallies:
    """Counts under decision rules, added up over parts of the images; `chosen` brings rules of its own."""

    def __init__(self, rules: Sequence[str] = RULES, chosen: Thresholds | None = None) -> None:
        self._chosen = chosen.by_rule() if chosen else {}
        self._rules = tuple(dict.fromkeys((*rules, *self._chosen)))
        self._found: dict[str, Counts] = {}

    def add(self, scores: Scores, truth: Truth, *, ranking: Ranking) -> None:
        """Count images: scores and truth are [n, learned]."""
        for rule in self._rules:
            new = decide(rule, scores, truth, ranking=ranking, chosen=self._chosen)
            old = self._found.get(rule)
            self._found[rule] = new if old is None else Counts(old.tp + new.tp, old.fp + new.fp, old.fn + new.fn)

    def widened(self, labels: int) -> dict[str, Tally]:
        """Return the counts by rule and part, None for labels that were not learned."""
        return {
            rule: {
                part: [*getattr(found, part).tolist(), *([None] * (labels - len(found.tp)))]
                for part in ("tp", "fp", "fn")
            }
            for rule, found in self._found.items()
        }


def widened(values: Values, *, labels: int) -> Values:
    """Return values [learned] with NaN for the labels that were not learned, [labels]."""
    return np.concatenate([values, np.full(labels - len(values), np.nan)])
