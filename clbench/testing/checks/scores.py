"""Checks of what a strategy answers: the columns, the values, and what they may depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clbench import PROTOCOL
from clbench.method.strategy import Strategy
from clbench.records.record import read_record
from clbench.records.verify.verify import verify_scores
from clbench.stream.merged_sessions import merged
from clbench.stream.stream import Session
from clbench.testing.outcome import Failed
from clbench.testing.probed_run import Left, Probe, ProbedRun
from clbench.testing.scoring import uncounted
from clbench.testing.subject import Subject
from clbench.testing.world import World
from clbench.train.scoring.evaluate import ranked_by, ranking_scores

CLOSE = 1e-5
"""How far two float32 probabilities of the same image may lie apart; kernels differ with the batch's shape."""


@torch.no_grad()
def asked(strategy: Strategy, images: Tensor) -> Tensor:
    """Return what the evaluation asks for, as probabilities, and leave the training mode as it was.

    uint8 [n, 3, S, S] becomes float [n, seen].
    """
    modes = [(module, module.training) for module in strategy.modules()]
    strategy.eval()
    ranking = ranked_by(strategy, protocol=PROTOCOL)
    scores = ranking_scores(strategy, images, ranking=ranking)
    for module, mode in modes:
        module.training = mode
    return (scores.sigmoid() if ranking == "logits" else scores).detach().clone()


def some_images(trial: ProbedRun, *, n: int = 16) -> Tensor:
    """Return a few train pictures. uint8 [n, 3, S, S]."""
    return trial.world.pictures.read(trial.run.stream.table.rows("train")[:n])


BATCHES = (1024, 700, 512, 300, 200, 128, 96, 64, 48, 32, 24, 12, 7, 3, 2)
"""Batches in which pictures are asked about: larger than any recipe's, as the evaluation's are, and small."""


class Batching(Probe):
    """Scores the same images in batches of several sizes, one by one, and backwards."""

    def after_scoring(self, trial: ProbedRun, session: Session) -> None:
        """Compare the ways of asking."""
        table, strategy = trial.run.stream.table, trial.run.strategy
        images = trial.world.pictures.read(np.resize(np.arange(len(table)), BATCHES[0]))
        together = asked(strategy, images)
        ways = {f"{size} at a time": asked(strategy, images[:size]) for size in BATCHES}
        ways["64 at a time"] = torch.cat([asked(strategy, part) for part in torch.split(images, 64)])
        ways["one by one"] = torch.cat([asked(strategy, images[i : i + 1]) for i in range(16)])
        ways["in reversed order"] = asked(strategy, images.flip(0)).flip(0)
        for way, scores in ways.items():
            apart = float((scores - together[: len(scores)]).abs().max())
            if apart > CLOSE:
                raise Failed(
                    f"asked {way}, the same images score up to {apart:.2g} differently",
                    verb="scores",
                    mend="An image's score may depend on that image alone: no batch statistics, no ranking in a batch.",
                )


class Predicting(Probe):
    """Looks at every tensor that scores are computed with."""

    def after_scoring(self, trial: ProbedRun, session: Session) -> None:
        """Look for those that nobody counts."""
        strategy = trial.run.strategy
        strange = uncounted(strategy, lambda images: asked(strategy, images), some_images(trial, n=48))
        if strange:
            raise Failed(
                f"scores are computed with {sum(tensor.numel() for tensor in strange)} numbers that are neither "
                f"parameters nor kept state; one tensor is {tuple(strange[0].shape)}",
                verb="scores",
                mend="A network that predicts is an attribute of the strategy, so that its parameters are counted.",
            )


class Growth(Probe):
    """Compares the scores just before and just after `begin_session`."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Tensor | None = None

    def before_growth(self, trial: ProbedRun, session: Session) -> None:
        """Keep what the old labels score."""
        self.before = asked(trial.run.strategy, some_images(trial)) if session.index else None

    def after_growth(self, trial: ProbedRun, session: Session) -> None:
        """Count the columns and compare the old ones."""
        if not trial.run.strategy.trains(session.index):
            return  # a closed form has no numbers for its new labels before the session's end
        after = asked(trial.run.strategy, some_images(trial))
        if after.shape[1] != session.seen:
            raise Failed(
                f"after begin_session of session {session.index} there are {after.shape[1]} columns"
                f" for {session.seen} labels",
                verb="begin_session",
                mend="Call super().begin_session(session) once; it grows the head to session.seen.",
            )
        if self.before is None:
            return
        width = self.before.shape[1]
        moved = float((after[:, :width] - self.before).abs().max())
        if moved <= CLOSE:
            return
        if trial.run.strategy.entangled or getattr(trial.run.strategy.net.head, "entangled", False):
            self.note = "declared: labels attend to each other, so growing moves the old ones"
            return
        raise Failed(
            f"growing from {width} to {session.seen} labels moved the scores of the old ones by up to {moved:.2g}",
            verb="begin_session",
            mend="New labels get parameters of their own; a method that must move old ones says `entangled = True`.",
        )


def scores_are_probabilities(subject: Subject) -> None:
    """After every session there is one finite score in [0, 1] for each test image and each seen label."""


def record_follows_from_its_scores(subject: Subject) -> None:
    """Scores stay as they were written, and scored again they give every average precision and count of the record."""
    left, stream = _left(subject), World.make().stream
    if subject.static:
        stream = merged(stream)
    now = left.answers()
    for name, digest in subject.told:
        if now.get(name) != digest:
            raise Failed(
                f"{name} is not what it was when it was written",
                verb="class",
                mend="Scores of a session are final; a strategy touches no file of its run.",
            )
    found = verify_scores(
        Path(left.record),
        scores=Path(left.work),
        truth=stream.truth(stream.test_rows),
        tests=[np.flatnonzero(np.isin(stream.test_rows, session.test_rows)) for session in stream.sessions],
    )
    if found.findings:
        raise Failed(
            f"the record's {found.findings[0]}",
            verb="class",
            mend="Scores are all that a strategy has to say; what becomes of them is no strategy's business.",
        )


def scores_ignore_the_batch(subject: Subject) -> None:
    """The score of an image does not depend on the images asked with it, their number or their order."""


def what_predicts_is_counted(subject: Subject) -> None:
    """Scores are computed with parameters of the strategy and what it keeps, which the record counts."""


def growth_adds_exactly_the_new_labels(subject: Subject) -> str:
    """At the start of a session the columns become those of the seen labels, and old ones score what they did."""
    if subject.static:
        return "one session shows all labels, so only their number was checked"
    return subject.run.note(Growth)


def learns_above_chance(subject: Subject) -> None:
    """After the first session its labels are found far better than by chance."""
    record = read_record(Path(_left(subject).record))
    session, stream = World.make().stream.sessions[0], World.make().stream
    learned = len(stream.labels) if subject.static else session.learned
    chance = float((stream.truth(stream.test_rows)[:, :learned] == 1).mean())
    reached = float(np.nanmean(np.array(record.ap.fixed[0][:learned], dtype=np.float64)))
    needed = chance + 0.4 * (1 - chance)
    if reached < needed:
        raise Failed(
            f"mAP after the first session is {reached:.2f}; guessing gives {chance:.2f} and {needed:.2f} is asked for",
            verb="loss",
            mend="Look whether the loss reaches the network, and whether scores come from what was trained.",
        )


def _left(subject: Subject) -> Left:
    left = subject.run.left
    assert left is not None, "the run that is looked at has ended well"
    return left
