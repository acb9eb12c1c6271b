"""Checks of what happens while a strategy trains: loss, optimiser, teacher, memory."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from clbench.method.batch import Batch
from clbench.records.record import read_record
from clbench.stream.stream import Session
from clbench.testing.holdings import Search
from clbench.testing.outcome import Failed
from clbench.testing.probed_run import Probe, ProbedRun
from clbench.testing.subject import Subject
from clbench.testing.world import TinyBody
from clbench.train.optimiser import check_holds_exactly


class Loss(Probe):
    """Asks for the loss of batches in which labels, or whole images, are unknown."""

    def after_step(self, trial: ProbedRun, session: int, step: int) -> None:
        """Ask once a session, after the second step."""
        if step != 2:
            return
        strategy, batch = trial.run.strategy, trial.run.loop.batch
        assert batch is not None
        cases = {"one image is wholly unknown": 1, "every label of every image is unknown": len(batch.rows)}
        for what, first in cases.items():
            targets = batch.targets.clone()
            targets[:first] = torch.nan
            poisoned = Batch(batch.images, targets, batch.rows, batch.replayed, batch.logits)
            loss = strategy.loss(poisoned, strategy.net(batch.images))
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise Failed(
                    f"the loss is {type(loss).__name__}, not a scalar tensor", verb="loss", mend="Return a scalar."
                )
            slopes = _slopes(loss, [p for _, p in strategy.trainable()])
            if not bool(torch.isfinite(loss)) or not all(bool(torch.isfinite(slope).all()) for slope in slopes):
                kind = "the loss" if not bool(torch.isfinite(loss)) else "a gradient"
                raise Failed(
                    f"{kind} is not finite in a batch in which {what}",
                    verb="loss",
                    mend="Unknown targets are NaN: mask them with batch.known before they meet arithmetic.",
                )


def _slopes(loss: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    if not loss.requires_grad:
        return []  # nothing known, nothing to learn
    return [s for s in torch.autograd.grad(loss, parameters, allow_unused=True) if s is not None]


class Optimiser(Probe):
    """Compares what the optimiser holds with what asks for a gradient, after every step."""

    def after_step(self, trial: ProbedRun, session: int, step: int) -> None:
        """Raise when they differ."""
        try:
            check_holds_exactly(trial.run.loop.optimizer, trial.run.strategy)
        except Exception as error:
            raise Failed(
                f"in session {session}, after step {step}, {error}",
                verb="begin_session",
                mend="Make, freeze and thaw parameters in begin_session, before the session's optimiser is made.",
            ) from error


class Teacher(Probe):
    """Finds earlier networks that a strategy keeps, and looks whether they hold still."""

    def __init__(self) -> None:
        super().__init__()
        self.note = "it keeps no earlier network"

    def after_step(self, trial: ProbedRun, session: int, step: int) -> None:
        """Look at every copy of the backbone but the live one."""
        strategy = trial.run.strategy
        live = {id(module) for module in strategy.net.backbone.modules()}
        for name, module in strategy.named_children():
            if not any(isinstance(m, TinyBody) and id(m) not in live for m in module.modules()):
                continue
            self.note = ""
            trains = [m for m in module.modules() if m.training]
            if trains or any(p.requires_grad for p in module.parameters()):
                what = "is in training mode, so its batch statistics move" if trains else "asks for gradients"
                raise Failed(
                    f"self.{name} holds an earlier network which {what}",
                    verb="begin_session",
                    mend="Copy it with clbench.nn.distil.frozen(self.net).",
                )


class Stored(Probe):
    """Looks for pictures that are kept, anywhere: no memory holds any."""

    def __init__(self) -> None:
        super().__init__()
        self._search: Search | None = None

    def after_scoring(self, trial: ProbedRun, session: Session) -> None:
        """Look through everything in the process but what the loop itself was just working on."""
        loop = trial.run.loop
        loop.batch = loop.mbatch = None
        self._search = self._search or Search(trial.world.pictures.shown)
        where = self._search.held()
        if where:
            raise Failed(
                f"{where} holds pictures; what it holds is not counted",
                verb="end_session",
                mend="Store rows in a memory of clbench.nn.memory: the loop reads their pictures and counts them.",
            )


def loss_copes_with_unknown_labels(subject: Subject) -> None:
    """Loss and gradients stay finite when labels, or all labels of an image or a batch, are unknown."""


def optimiser_holds_what_trains(subject: Subject) -> None:
    """After every step of every session the optimiser holds exactly the parameters that ask for a gradient."""


def teacher_is_frozen(subject: Subject) -> str:
    """An earlier network that a strategy keeps asks for no gradient and stays in evaluation mode."""
    return subject.run.note(Teacher)


def memory_stays_within_its_budget(subject: Subject) -> str:
    """What is rehearsed is counted, no memory holds more than its limit, and pictures are kept nowhere else."""
    assert subject.run.left is not None
    record = read_record(Path(subject.run.left.record))
    return "" if any(cost.stored_images for cost in record.costs) else "it stores no images"
