"""What is known when a session has been learned: its scores, their measures, its costs."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.sources import ImageSource
from clbench.method.kept import state_bytes
from clbench.method.stored import check_met, count_stored
from clbench.method.strategy import Strategy
from clbench.nn.distil import without_teachers
from clbench.nn.shared.ranks import rank
from clbench.spec.scenario import TrainSpec
from clbench.stream.stream import Session, Stream
from clbench.train.diagnosis import session_angle
from clbench.train.environment import peak_memory
from clbench.train.evaluate import evaluate, score_matrix
from clbench.train.events import SessionFinished, Watch
from clbench.train.make_record import save_scores
from clbench.train.resume.kept_weights import keep_weights
from clbench.train.resume.progress import Done, Progress

if TYPE_CHECKING:
    from clbench.train.loop import SharedLoop


@dataclass(frozen=True)
class Evaluation:
    """Scores every test image once per session; all measures follow from these scores."""

    run: str
    stream: Stream
    source: ImageSource
    train: TrainSpec
    device: torch.device
    work: Path
    readers: int
    """Processes that read test images ahead."""
    keep_weights: bool
    watch: Watch

    def of(
        self, session: Session, *, strategy: Strategy, loop: SharedLoop, progress: Progress, mean_loss: float
    ) -> Done:
        """Return what the record will hold of the session that `strategy` has just learned."""
        clock = time.monotonic()
        with loop.ema.applied(strategy) if loop.ema else contextlib.nullcontext():
            scores = score_matrix(
                strategy,
                source=self.source,
                rows=self.stream.test_rows,
                seen=session.seen,
                device=self.device,
                batch=max(self.train.batch_size, 64),
                readers=self.readers,
            )
            angle = session_angle(strategy)
            if self.keep_weights and rank() == 0:
                keep_weights(strategy, self.work, session=session.index)
        truth = self.stream.truth(self.stream.test_rows)
        found = evaluate(scores, truth=truth, test_rows=self.stream.test_rows, session=session)
        stored = count_stored(strategy, image_size=self.train.image_size)
        check_met(
            strategy,
            stored,
            met=np.concatenate([past.rows for past in self.stream.sessions[: session.index + 1]]),
        )
        modules = without_teachers(strategy)
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
                "score_cost": float(strategy.score_cost()),
            },
            times={
                "train_seconds": progress.train_seconds,
                "eval_seconds": time.monotonic() - clock,
                "peak_memory_bytes": peak_memory(self.device),
            },
            scores=save_scores(scores, folder=self.work, session=session.index) if rank() == 0 else {},
            mean_loss=mean_loss,
            angle=angle,
        )
        self.watch(
            SessionFinished(
                self.run,
                session.index,
                seconds=progress.train_seconds,
                last_map=_mean(found.growing),
                fixed_map=_mean(found.fixed),
                stored=stored.images,
            )
        )
        return done


def _mean(values: npt.NDArray[Any]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan
