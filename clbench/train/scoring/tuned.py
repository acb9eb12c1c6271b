"""Thresholds from the validation images of a scenario that holds some out; no test image has a say in them."""

from __future__ import annotations

from typing import Any

from clbench.method.strategy import Strategy
from clbench.metrics.of_parts import is_streamed
from clbench.metrics.rules import Ranking
from clbench.metrics.thresholds import Thresholds, as_probabilities, chosen_thresholds
from clbench.stream.stream import Session, Stream
from clbench.train.scoring.evaluate import score_matrix


def tunes(stream: Stream) -> bool:
    """Say whether a run of this stream chooses thresholds: it has validation images, and their scores can be held."""
    return bool(len(stream.val_rows)) and not is_streamed(len(stream.val_rows), len(stream.labels))


def thresholds_of(
    strategy: Strategy, *, stream: Stream, session: Session, ranking: Ranking, **how: Any
) -> Thresholds | None:
    """Return the thresholds that the validation images choose after `session`, None where a run chooses none.

    They are met as test images are: those with a label learned so far, or all of them where the growing test set is
    the whole one. `how` is as in `score_matrix`.
    """
    if not tunes(stream):
        return None
    rows = stream.val_rows
    truth = stream.read_truth(rows)[:, : session.learned]
    if len(session.test_rows) < len(stream.test_rows):
        met = (truth == 1).any(axis=1)
        rows, truth = rows[met], truth[met]
    scores = score_matrix(strategy, rows=rows, seen=session.seen, ranking=ranking, **how)[:, : session.learned]
    return chosen_thresholds(as_probabilities(scores, ranking=ranking), truth)
