"""What a run trains on where its data set is not here: from the pins of its stream, which count images per session."""

from __future__ import annotations

import itertools

from clbench.cost.session_counts import SessionCount
from clbench.method.answers import answer
from clbench.method.replay import Replay
from clbench.method.strategy import Strategy
from clbench.metrics.of_parts import kept_bytes
from clbench.plan.plan import Plan
from clbench.stream.pins.check import pinned_counts
from clbench.train.batches import steps_per_epoch
from clbench.train.optimiser import epochs

REPLAYED = "what memories replay"
SHARED = "which images sessions have in common (each is counted in every one of them)"
PICTURES = "the pictures kept on disk"
SCORES = "the score files, as labels are not counted"


def counts_from_pins(
    plan: Plan, strategy: Strategy, *, keep_scores: bool = False
) -> tuple[tuple[SessionCount, ...], int, tuple[str, ...]]:
    """Return the sessions of `plan`, the bytes of their score files, and what stays unknown without the data set.

    Nothing replayed is counted. A strategy that sees all in one session, or all so far in each, is counted exactly
    where no image is in two sessions. Raises UsageError for pins that cannot be read.
    """
    own, tested = zip(*pinned_counts(plan.scenario.pins, source=plan.scenario.name), strict=True)
    labels = _seen(plan, sessions=len(own))
    again = strategy.static or strategy.cumulative
    if strategy.cumulative:
        own = tuple(itertools.accumulate(own))
    if strategy.static:
        own, labels = (sum(own),), labels[-1:]
    unknown = [PICTURES, *([] if labels else [SCORES])]
    if isinstance(strategy, Replay) and strategy.values().get("memory"):
        unknown.insert(0, REPLAYED)
    if again and plan.scenario.images != "disjoint":
        unknown.insert(0, SHARED)
    sessions = []
    for index, images in enumerate(own):
        trains = answer(strategy, "trains", strategy.trains(index))
        rounds = epochs(plan.train, index) if trains else 1
        steps = rounds * steps_per_epoch(images, plan.train.batch_size) if trains else 0
        sessions.append(SessionCount(images, images, epochs=rounds, steps=steps, beside=0, scored=tested[-1]))
    score_bytes = sum(kept_bytes(tested[-1], seen, keep_scores=keep_scores) for seen in labels)
    return tuple(sessions), score_bytes, tuple(unknown)


def _seen(plan: Plan, *, sessions: int) -> list[int]:
    """Return how many labels are known after each session, nothing where the data set alone says it."""
    deal = plan.scenario.labels
    if deal.sessions:
        return list(itertools.accumulate(map(len, deal.sessions)))
    if not deal.increment:
        return []
    return [
        deal.base + index * deal.increment if deal.base else (index + 1) * deal.increment for index in range(sessions)
    ]
