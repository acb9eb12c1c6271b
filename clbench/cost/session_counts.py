"""How many images each session of a run will train on, replayed ones included, without training on any."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.sparse.merged import first_columns
from clbench.method.answers import answer
from clbench.method.batch import Batch
from clbench.method.replay import Replay
from clbench.method.strategy import Strategy
from clbench.nn.balanced import HerdingMemory
from clbench.nn.exemplars import Exemplars
from clbench.nn.memory import Memory
from clbench.plan.plan import Plan
from clbench.stream.stream import Session, Stream
from clbench.train.batches import order, steps_per_epoch
from clbench.train.optimiser import epochs
from clbench.train.scoring.tuned import tunes


class SessionCount(NamedTuple):
    """What one session is made of."""

    own: int
    """Train images of the session itself."""
    view: int
    """Images of one epoch: its own and the exemplars mixed in."""
    epochs: int
    steps: int
    """Batches of all epochs."""
    beside: int
    """Exemplars set beside batches, over all epochs."""
    scored: int
    """Test images scored after it."""

    @property
    def images(self) -> int:
        """Images trained on, over all epochs, as a record's `images_seen` counts them."""
        return self.view * self.epochs + self.beside


def session_counts(plan: Plan, strategy: Strategy, stream: Stream) -> tuple[SessionCount, ...]:
    """Return the counts of every session. What a replay memory will hold is found by filling a copy of it.

    Exact for every memory that chooses by labels; herding chooses by features, which do not exist yet, so that its
    count is that of random features. Exemplars of strategies that are no `Replay` are not counted.
    """
    memory = _Memory(plan, strategy) if isinstance(strategy, Replay) else None
    held = len(stream.val_rows) if plan.trial is None and tunes(stream) else 0
    found = []
    for session in stream.sessions:
        trains = answer(strategy, "trains", strategy.trains(session.index))
        rounds = epochs(plan.train, session.index) if trains else 1
        view, beside = len(session.rows), 0
        if memory is not None:
            view, beside = memory.session(session, rounds=rounds)
        found.append(
            SessionCount(
                own=len(session.rows),
                view=view,
                epochs=rounds,
                steps=rounds * steps_per_epoch(view, plan.train.batch_size) if trains else 0,
                beside=beside,
                scored=len(stream.test_rows) + held,
            )
        )
    return tuple(found)


class _Memory:
    """A copy of a strategy whose memory is filled as a run would fill it, without a network."""

    def __init__(self, plan: Plan, strategy: Replay) -> None:
        self.plan = plan
        self.strategy = copy.copy(strategy)
        self.strategy.buffer = self.strategy.make_memory()
        self.stepwise = self.strategy.stepwise = self.strategy.works_stepwise(online=plan.scenario.online)
        if self.stepwise:
            # every kind fills up alike, so that where only the number counts the quickest does
            self.strategy.buffer = Memory(strategy.memory, per_class=strategy.per_class)

    def session(self, session: Session, *, rounds: int) -> tuple[int, int]:
        """Return the images of one epoch and those set beside its batches, and let the session into the memory."""
        strategy, held = self.strategy, self.strategy.buffer
        strategy._seed = (self.plan.seed, session.index, "end")
        if self.stepwise:
            return len(session.rows), sum(self._epoch(session, epoch) for epoch in range(rounds))
        view = len(np.union1d(session.rows, held.exemplars().rows))
        if isinstance(held, HerdingMemory):
            features = strategy.rng("features").standard_normal((len(session.rows), 8))
            held.herd(session.rows, first_columns(session.targets, session.learned), features=features)
        else:
            strategy.store(session)  # type: ignore[arg-type]  # rows and targets are all that it reads
        return view, 0

    def _epoch(self, session: Session, epoch: int) -> int:
        size, count = self.plan.train.batch_size, len(session.rows)
        shown = order(count, count, seed=self.plan.seed, session=session.index, epoch=epoch)
        steps, beside = steps_per_epoch(count, size), 0
        for step in range(steps):
            part = shown[step * size : count if step == steps - 1 else (step + 1) * size]
            rows = session.rows[part]
            recalled: Exemplars | None = self.strategy.recall(_rows_alone(rows))
            beside += 0 if recalled is None else len(recalled.rows)
            self.strategy.buffer.add(rows, session.targets[part], rng=self.strategy.rng("memory"))
        return beside


def _rows_alone(rows: npt.NDArray[np.int64]) -> Batch:
    none = torch.empty(0)
    return Batch(images=none, targets=none, rows=torch.from_numpy(rows), replayed=none)
