"""What is known when a session has been learned: its scores, their measures, its costs."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from torch import Tensor

from clbench.method.answers import answer
from clbench.method.replay import draws
from clbench.method.stored import OverBudgetError, check_met, count_stored, state_bytes
from clbench.method.strategy import Strategy
from clbench.metrics.of_parts import in_points, is_streamed
from clbench.metrics.rules import Ranking
from clbench.nn.distil import without_teachers
from clbench.nn.heads.angles import mean_positive_angle
from clbench.nn.heads.network import Network
from clbench.nn.shared.ranks import rank
from clbench.stream.budget import most_seen
from clbench.stream.stream import Session
from clbench.train.assembly import Assembly
from clbench.train.environment import peak_memory
from clbench.train.events import Message, SessionFinished
from clbench.train.resume.kept_weights import keep_weights
from clbench.train.resume.progress import Done
from clbench.train.scoring import score_file
from clbench.train.scoring.evaluate import evaluate, ranked_by, score_matrix
from clbench.train.scoring.score_file import ScoreFile
from clbench.train.scoring.streamed import evaluate_streamed
from clbench.train.scoring.tuned import thresholds_of

SAMPLE = 256
"""Images of a session that are looked at, evenly spread over it."""


def session_result(run: Assembly, session: Session, *, mean_loss: float) -> Done:
    """Return what the record will hold of the session that the run's strategy has just learned, and tell of it.

    Every test image is scored once; all measures follow from these scores, and from thresholds that the validation
    images choose, where the scenario holds some out.
    """
    clock = time.monotonic()
    strategy, stream, loop, progress = run.strategy, run.stream, run.loop, run.progress
    ranking = ranked_by(strategy, protocol=run.plan.protocol)
    how: dict[str, Any] = {
        "source": run.source,
        "device": run.device,
        "batch": max(run.train.batch_size, 64),
        "ranking": ranking,
        "readers": run.readers,
    }
    keeping = _Keeping(run, session, ranking=ranking)
    scores: npt.NDArray[np.float32] | None = None
    with loop.ema.applied(strategy) if loop.ema else contextlib.nullcontext():
        chosen = None
        if run.plan.trial is None:  # which has its validation images in the place of test images
            chosen = thresholds_of(strategy, stream=stream, session=session, **how)
        if keeping.streamed:
            with keeping.written() as kept:
                found = evaluate_streamed(strategy, stream=stream, session=session, chosen=chosen, kept=kept, **how)
        else:
            scores = score_matrix(strategy, rows=stream.test_rows, seen=session.seen, **how)
        angle = session_angle(strategy)
        if run.options.keep_weights and rank() == 0:
            keep_weights(strategy, run.work, session=session.index)
    if scores is not None:
        truth = stream.read_truth(stream.test_rows)
        found = evaluate(
            scores, truth=truth, test_rows=stream.test_rows, session=session, ranking=ranking, chosen=chosen
        )
    stored = count_stored(strategy, image_size=run.train.image_size, image_bytes=run.image_bytes)
    check_met(strategy, stored, met=np.concatenate([run.counted, session.rows]))
    _check_seen(run, session, stored=stored.images)
    progress.counted = stream.table.ids[stored.rows].tolist()
    modules = without_teachers(strategy)
    if scores is not None:
        with keeping.written() as kept:
            if kept is not None:
                kept.add(scores)
    if keeping.entry:
        run.witness.note(keeping.entry["file"], keeping.entry["sha256"])
    done = Done(
        growing=found.growing.tolist(),
        fixed=found.fixed.tolist(),
        counts=found.counts,
        cost={
            "images_seen": progress.images_seen,
            "steps": loop.step_index,
            "parameters": sum(p.numel() for p in modules),
            "trainable": sum(p.numel() for p in modules if p.requires_grad),
            "stored_images": stored.images,
            "stored_bytes": stored.bytes,
            "state_bytes": state_bytes(strategy),
            "score_cost": float(answer(strategy, "score_cost", strategy.score_cost())),
        },
        times={
            "train_seconds": progress.train_seconds,
            "eval_seconds": time.monotonic() - clock,
            "peak_memory_bytes": peak_memory(run.device),
        },
        scores=keeping.entry,
        mean_loss=mean_loss,
        angle=angle,
        bound=found.bound,
        chosen=chosen,
    )
    if found.bound is not None:
        told = f"AP from histograms, each within {in_points(found.bound)} of the exact one"
        run.watch(Message(f"{run.name}: session {session.index}: {told}; {keeping.told}"))
    last, fixed = _mean(found.growing), _mean(found.fixed)
    run.watch(SessionFinished(run.name, session.index, progress.train_seconds, last, fixed, stored.images))
    return done


class _Keeping:
    """Whether a session's scores are kept in a file, and what the record will say of that file."""

    def __init__(self, run: Assembly, session: Session, *, ranking: Ranking) -> None:
        self._folder, self._session = run.work, session.index
        self._kind: Ranking | None = None if run.plan.protocol == 1 else ranking
        self._shape = {"images": len(run.stream.test_rows), "labels": session.seen}
        self.streamed = is_streamed(**self._shape)
        # a record lists the files of its first sessions, none left out
        self._gap = not all(done.scores for done in run.progress.done)
        self._kept = not self.streamed or (run.options.keep_scores and not self._gap)
        self._asked = run.options.keep_scores
        self.entry: dict[str, Any] = {}
        """Of the file, once it is whole; empty where scores are not kept, and on every rank but the first."""

    @contextlib.contextmanager
    def written(self) -> Iterator[ScoreFile | None]:
        """Give the file to write, or None where this process keeps nothing."""
        if not self._kept or rank() != 0:
            yield None
            return
        with score_file.written(self._folder, session=self._session, kind=self._kind, **self._shape) as file:
            yield file
        self.entry = score_file.entry(self._session, kind=self._kind, sha256=file.sha256)

    @property
    def told(self) -> str:
        """What became of scores that were too many to be held."""
        size = f"{4 * math.prod(self._shape.values()) / 1e9:.1f} GB of scores"
        if self._kept:
            return f"{size} kept"
        why = "earlier ones were not: --no-resume begins anew" if self._asked else "--keep-scores keeps them"
        return f"{size} not kept ({why})"


def _check_seen(run: Assembly, session: Session, *, stored: int) -> None:
    """Raise OverBudgetError where more images were trained on than the session and what is stored can have shown."""
    times = draws(run.strategy)
    most = most_seen(
        msgspec.to_builtins(run.train),
        session=session.index,
        images=len(session.rows),
        stored=max(stored, len(run.counted)),
        steps=run.loop.step_index,
        draws=times,
    )
    if run.progress.images_seen > most:
        raise OverBudgetError(
            f"session {session.index}: {type(run.strategy).__name__} trained on {run.progress.images_seen} images; its "
            f"session and {times} draw{'s' * (times != 1)} a step of what it stores give at most {most}.",
            hint="A method that replays all that is stored more often in a step says so: draws: ClassVar[int] = 3.",
        )


def _mean(values: npt.NDArray[Any]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def session_angle(strategy: Strategy) -> float:
    """Return the mean angle in degrees between label features and classifier rows over the session's known positives.

    Of up to SAMPLE images without augmentation. NaN where the strategy's network has no such head, or no positive.
    """
    live, net = strategy.session, getattr(strategy, "net", None)
    if live is None or not isinstance(net, Network) or not len(live.rows):
        return math.nan
    taken = np.unique(np.linspace(0, len(live.rows) - 1, min(SAMPLE, len(live.rows))).round().astype(np.int64))

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in live.batches(places=taken):
            yield batch.images, batch.targets

    try:
        return mean_positive_angle(net, batches())
    except NotImplementedError:  # a head of one's own need not say what it decides on
        return math.nan
