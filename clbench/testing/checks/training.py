"""Checks of what happens while a strategy trains: loss, optimiser, teacher, memory."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from clbench.method.batch import Batch
from clbench.method.kept import arrays
from clbench.stream.stream import Session
from clbench.testing.outcome import Failed
from clbench.testing.probed_run import Probe, ProbedRun
from clbench.testing.subject import Subject
from clbench.testing.world import SIZE, TinyBody
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
        self.met = False

    def after_step(self, trial: ProbedRun, session: int, step: int) -> None:
        """Look at every copy of the backbone but the live one."""
        strategy = trial.run.strategy
        live = strategy.net.backbone
        for name, module in strategy.named_children():
            if module is live or not any(isinstance(m, TinyBody) and m is not live.body for m in module.modules()):
                continue
            self.met = True
            trains = [m for m in module.modules() if m.training]
            if trains or any(p.requires_grad for p in module.parameters()):
                what = "is in training mode, so its batch statistics move" if trains else "asks for gradients"
                raise Failed(
                    f"self.{name} holds an earlier network which {what}",
                    verb="begin_session",
                    mend="Copy it with clbench.nn.distil.frozen(self.net).",
                )


class Stored(Probe):
    """Looks for pictures that are kept outside a counted memory."""

    def after_scoring(self, trial: ProbedRun, session: Session) -> None:
        """Look through everything the strategy keeps, what it does not save and what lies in its module too."""
        strategy = trial.run.strategy
        shelves = {f"self.{name}": value for name, value in vars(strategy).items() if name not in _NETWORKS}
        for owner in (type(strategy), sys.modules[type(strategy).__module__]):
            shelves |= {f"{owner.__name__}.{name}": value for name, value in vars(owner).items()}
        for name, value in shelves.items():
            if any(_is_pictures(array) for array in arrays(value)):
                raise Failed(
                    f"{name} holds pictures; what it holds is not counted",
                    verb="end_session",
                    mend="Store rows in a memory of clbench.nn.memory: the loop reads their pictures and counts them.",
                )


_NETWORKS = ("_parameters", "_modules")
"""What a strategy trains may well be as large as a picture."""


def _is_pictures(array: Any) -> bool:
    return len(array.shape) >= 3 and tuple(array.shape[-3:]) in {(3, SIZE, SIZE), (SIZE, SIZE, 3)}


def loss_copes_with_unknown_labels(subject: Subject) -> None:
    """Loss and gradients stay finite when labels, or all labels of an image or a batch, are unknown."""


def optimiser_holds_what_trains(subject: Subject) -> None:
    """After every step of every session the optimiser holds exactly the parameters that ask for a gradient."""


def teacher_is_frozen(subject: Subject) -> str:
    """An earlier network that a strategy keeps asks for no gradient and stays in evaluation mode."""
    return "" if subject.run.probe(Teacher).met else "it keeps no earlier network"


def memory_stays_within_its_budget(subject: Subject) -> str:
    """What is rehearsed is counted, no memory holds more than its limit, and pictures are kept nowhere else."""
    most = max(done.cost["stored_images"] for done in subject.run.trial.run.progress.done)
    return "" if most else "it stores no images"
