"""One forward pass per test image per session; the only place that sees test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.errors import RunError
from clbench.method.ranking import ranking_scores
from clbench.method.strategy import Strategy
from clbench.metrics.ap import average_precisions
from clbench.metrics.f1 import Counts
from clbench.metrics.rules import RULES, Ranking, decide
from clbench.metrics.thresholds import Thresholds
from clbench.ranks.together import gathered, shard
from clbench.stream.stream import Session

Tally = dict[str, list[int | None]]
Values = npt.NDArray[np.float64]

PART = 1 << 24
"""Scores that are measured together: copies of them are made."""


class BadScoresError(RunError):
    """What a strategy's test images should be ranked by has the wrong shape or is no such thing."""


@dataclass(frozen=True)
class Evaluation:
    """What one session's scores say: rows [K] of the AP matrices (NaN where undefined) and of the counts."""

    growing: Values
    fixed: Values
    counts: dict[str, Tally]
    bound: float | None = None
    """How far an AP may lie from the exact one; None where all scores were there."""


@torch.no_grad()
def score_matrix(
    strategy: Strategy,
    *,
    source: ImageSource,
    rows: npt.NDArray[np.int64],
    seen: int,
    device: torch.device,
    batch: int,
    ranking: Ranking,
    readers: int = 0,
) -> npt.NDArray[np.float32]:
    """Return what ranks the images `rows`, float32 [n, seen], logits or probabilities; on the device until the end.

    `readers` processes read pictures ahead. In a distributed run each rank scores its share and all return the whole.
    Raises RunError when a strategy returns another shape, NaN, or probabilities outside [0, 1]. The error is a
    BadScoresError.
    """
    strategy.eval()
    everything, rows = rows, shard(rows)
    own, first = torch.empty(len(rows), seen, device=device), 0
    for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda"):
        part = ranking_scores(strategy, images.to(device, non_blocking=True), ranking=ranking)
        check_shape(strategy, part, shape=(len(images), seen), ranking=ranking)
        own[first : first + len(part)] = part
        first += len(part)
    check_values(strategy, own, ranking=ranking)
    scores = gathered(own, total=len(everything))
    result: npt.NDArray[np.float32] = scores.cpu().numpy()
    return result


def check_shape(strategy: Strategy, scores: torch.Tensor, *, shape: tuple[int, int], ranking: Ranking) -> None:
    """Raise BadScoresError where a strategy's `scores` of some images are not [n, seen]."""
    if tuple(scores.shape) != shape:
        raise BadScoresError(
            f"{_verb(strategy, ranking)} gave {tuple(scores.shape)} for {shape[0]} images and {shape[1]} labels.",
            hint="It returns one column per seen label, in arrival order.",
        )


def check_values(strategy: Strategy, scores: torch.Tensor, *, ranking: Ranking) -> None:
    """Raise BadScoresError where `scores` [n, seen] hold NaN, or no probabilities where these are meant."""
    said = _verb(strategy, ranking)
    if bool(scores.isnan().any()):
        raise BadScoresError(f"{said} gave NaN.", hint="Look where it divides by zero, or takes inf - inf.")
    if ranking == "probabilities" and not bool(((scores >= 0) & (scores <= 1)).all()):
        raise BadScoresError(
            f"{said} gave values that are not probabilities (outside [0, 1]).",
            hint="Logits are returned by the verb `logits`, which replaces this one.",
        )


def _verb(strategy: Strategy, ranking: Ranking) -> str:
    return f"{type(strategy).__name__}.{'logits' if ranking == 'logits' else 'scores'}"


def evaluate(
    scores: npt.NDArray[np.float32],
    *,
    truth: npt.NDArray[np.int8],
    test_rows: npt.NDArray[np.int64],
    session: Session,
    ranking: Ranking,
    chosen: Thresholds | None = None,
) -> Evaluation:
    """Return what `scores` [n, seen] of the fixed test set say against `truth` int8 [n, K], both in `test_rows` order.

    Labels learned so far are scored on the session's growing test set and on the fixed one; the others are undefined.
    `chosen` are the thresholds that validation images chose, where there are such.
    """
    learned = session.learned
    growing = np.isin(test_rows, session.test_rows)
    step = max(PART // max(len(scores), 1), 32)
    found: list[tuple[Values, Values]] = []
    for first in range(0, learned, step):
        columns = slice(first, min(first + step, learned))
        s, t = scores[:, columns], truth[:, columns]
        fixed = average_precisions(s, t)
        found.append((fixed if growing.all() else average_precisions(s[growing], t[growing]), fixed))
    tally = Tallies(chosen)
    step = max(PART // max(learned, 1), 1)
    for rows in (np.flatnonzero(growing)[first : first + step] for first in range(0, int(growing.sum()), step)):
        tally.add(scores[rows, :learned], truth[rows, :learned], ranking=ranking)
    labels = truth.shape[1]
    return Evaluation(
        growing=widened(np.concatenate([part for part, _ in found]), labels=labels),
        fixed=widened(np.concatenate([part for _, part in found]), labels=labels),
        counts=tally.widened(labels),
    )


class Tallies:
    """Counts under every decision rule, added up over parts of the images; `chosen` brings rules of its own."""

    def __init__(self, chosen: Thresholds | None = None) -> None:
        self.rules: dict[str, Counts] = {}
        self._chosen = chosen.by_rule() if chosen else {}

    def add(self, scores: npt.NDArray[np.float32], truth: npt.NDArray[np.int8], *, ranking: Ranking) -> None:
        """Count images: scores and truth are [n, learned]."""
        for rule in (*RULES, *self._chosen):
            new = decide(rule, scores, truth, ranking=ranking, chosen=self._chosen)
            old = self.rules.get(rule)
            self.rules[rule] = new if old is None else Counts(old.tp + new.tp, old.fp + new.fp, old.fn + new.fn)

    def widened(self, labels: int) -> dict[str, Tally]:
        """Return the counts by rule and part, None for labels that were not learned."""
        return {
            rule: {
                part: [*getattr(found, part).tolist(), *([None] * (labels - len(found.tp)))]
                for part in ("tp", "fp", "fn")
            }
            for rule, found in self.rules.items()
        }


def widened(values: Values, *, labels: int) -> Values:
    """Return values [learned] with NaN for the labels that were not learned, [labels]."""
    return np.concatenate([values, np.full(labels - len(values), np.nan)])
