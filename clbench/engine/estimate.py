"""What a run will cost, before it is paid: images, steps and bytes counted, seconds measured on a few batches."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from clbench.data.stream import Stream
from clbench.engine.allocator import keep_freed_memory
from clbench.engine.environment import pick_device
from clbench.engine.optim import epochs, make_optimizer
from clbench.engine.prepare import build_network, make_source, make_strategy, make_stream
from clbench.engine.session import LiveSession
from clbench.engine.strategy import Batch, Strategy
from clbench.engine.view import steps_per_epoch
from clbench.resolve import Plan


@dataclass(frozen=True)
class Estimate:
    """Counts of one run. `seconds` is None unless a calibration was asked for; rehearsed exemplars are not in it."""

    sessions: tuple[tuple[int, int, int], ...]
    """(train images, steps, test images scored) of each session."""
    image_steps: int
    """Images trained on, over all epochs."""
    scored: int
    """Forward passes of the evaluations."""
    cache_bytes: int
    """Of the picture cache, where it is used."""
    score_bytes: int
    """Of the score matrices that stay beside the record."""
    seconds: float | None = None

    @property
    def steps(self) -> int:
        """Optimiser batches of the whole run."""
        return sum(steps for _, steps, _ in self.sessions)


def estimate(plan: Plan, *, calibrate: bool = False, device: str = "auto", threads: int = 1) -> Estimate:
    """Return what `plan` costs; with `calibrate`, train and score a few real batches and scale their time."""
    strategy = make_strategy(plan)
    stream = make_stream(plan, strategy)
    train = plan.train
    sessions = []
    image_steps = 0
    for session in stream.sessions:
        rounds = epochs(train, session.index)
        sessions.append(
            (
                len(session.rows),
                rounds * steps_per_epoch(len(session.rows), train.batch_size),
                len(stream.test_rows),
            )
        )
        image_steps += rounds * len(session.rows)
    scored = len(stream.test_rows) * len(sessions)
    seconds = None
    if calibrate:
        per_step, per_score = _measure(plan, strategy, stream, device=device, threads=threads)
        seconds = image_steps * per_step + scored * per_score
    return Estimate(
        sessions=tuple(sessions),
        image_steps=image_steps,
        scored=scored,
        cache_bytes=len(stream.table) * 3 * train.image_size**2,
        score_bytes=sum(len(stream.test_rows) * session.seen * 4 for session in stream.sessions),
        seconds=seconds,
    )


def _measure(
    plan: Plan, strategy: Strategy, stream: Stream, *, device: str, threads: int, batches: int = 4
) -> tuple[float, float]:
    """Return seconds per image of a training step and of scoring, pictures included; the first batch warms up."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        where = pick_device(device)
        source = make_source(plan, stream.table, cache=False)
        build_network(plan, strategy, stream, where)
        session = stream.sessions[-1]
        live = LiveSession(
            session,
            source=source,
            device=where,
            batch_size=plan.train.batch_size,
            stored=lambda: np.empty(0, dtype=np.int64),
            structure_only=False,
        )
        strategy.begin_session(live)
        strategy.to(where)
        optimizer = make_optimizer(strategy, plan.train, session=0, device=where)
        steps, scores = [], []
        for number, batch in enumerate(live.batches()):
            if number > batches:
                break
            steps.append(_timed(lambda b=batch: _step(strategy, optimizer, b), where) / len(batch.rows))
            with torch.no_grad():
                scores.append(_timed(lambda b=batch: strategy.scores(b.images), where) / len(batch.rows))
        return float(np.median(steps[1:] or steps)), float(np.median(scores[1:] or scores))
    finally:
        torch.set_num_threads(before)


def _step(strategy: Strategy, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    optimizer.zero_grad()
    strategy.loss(batch, strategy.net(batch.images)).backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _timed(work, device: torch.device) -> float:  # type: ignore[no-untyped-def]
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
