"""What is shown when, and how it is augmented, is a function of names: no strategy and no evaluation can change it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clbench import Batch, Replay, Session, Strategy
from clbench.testing import Subject
from clbench.testing.examined import Examined
from clbench.train.batches import SessionView

Shown = dict[tuple[int, int], list[tuple[int, str]]]
"""(session, epoch) -> (row, digest of the augmented picture) in the order in which they were shown"""


class Plain(Strategy):
    """Does nothing."""


class Restless(Strategy):
    """Evaluates after every step and draws from every global generator there is."""

    def after_step(self, batch: Batch, logits: Tensor) -> None:
        self.eval()
        with torch.no_grad():
            self.scores(batch.images)
        self.train()
        torch.rand(17)
        np.random.rand(3)

    def prepare(self, session: Session) -> None:
        torch.manual_seed(session.index)
        list(session.batches())


class Rehearsing(Replay):
    """Mixes exemplars in."""

    memory: int = 20


def shown(kind: type[Strategy], monkeypatch: pytest.MonkeyPatch, *, seed: int = 1, workers: int = 0) -> Shown:
    found: Shown = {}
    original = SessionView.__getitems__

    def noted(view: SessionView, items: list[tuple[int, int]]) -> Any:
        images, y, rows, positions = original(view, items)
        for (epoch, position), image, row in zip(items, images, rows.tolist(), strict=True):
            if position < view.fresh:
                digest = hashlib.sha256(image.numpy().tobytes()).hexdigest()
                found.setdefault((view.session, epoch), []).append((row, digest))
        return images, y, rows, positions

    with monkeypatch.context() as patch:
        patch.setattr(SessionView, "__getitems__", noted)
        subject = Subject(kind)
        trial = Examined(subject.wanted, folder=subject.folder).trial(seed=seed)
        trial.carry_out()
    assert len(found) == 3 * trial.run.train.epochs
    return found


@pytest.mark.parametrize("kind", [Restless, Rehearsing])
def test_another_strategy_is_shown_the_same_pictures_in_the_same_order(
    kind: type[Strategy], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(kind, monkeypatch) == shown(Plain, monkeypatch)


def test_every_epoch_session_and_seed_has_an_order_and_an_augmentation_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, two = shown(Plain, monkeypatch), shown(Plain, monkeypatch, seed=2)
    orders = [tuple(row for row, _ in pictures) for pictures in (*one.values(), *two.values())]
    assert len(set(orders)) == len(orders)
    # flips: about half of the pictures of one epoch look different in the next
    first, second = dict(one[0, 0]), dict(one[0, 1])
    other = dict(two[0, 0])
    for a, b in ((first, second), (first, other)):
        differing = sum(a[row] != b[row] for row in a) / len(a)
        assert 0.2 < differing < 0.8


def test_an_evaluation_in_between_changes_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Looking(Strategy):
        """Evaluates after every step."""

        def after_step(self, batch: Batch, logits: Tensor) -> None:
            modes: list[tuple[torch.nn.Module, bool]] = [(module, module.training) for module in self.modules()]
            self.eval()
            with torch.no_grad():
                self.scores(batch.images)
            for module, mode in modes:
                module.training = mode
            torch.rand(5)

    make: Callable[[type[Strategy]], dict[str, str]] = lambda kind: Subject(kind).plain().fingerprint  # noqa: E731
    assert make(Looking) == make(Plain)
