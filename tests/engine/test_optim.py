"""Optimiser groups and schedules."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import nn

from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.spec.scenario import TrainSpec
from clbench.train.optimiser import check_holds_exactly, epochs, factor, make_optimizer, make_schedule

CPU = torch.device("cpu")


class Backbone(nn.Module):
    width = 4

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(images.float()))


class Plain(Strategy):
    """Does nothing special."""


def plain() -> Plain:
    strategy = Plain()
    strategy.build(Backbone(), ("a", "b"))
    strategy.net.head.grow(2)
    return strategy


def test_weights_decay_and_vectors_do_not() -> None:
    optimizer = make_optimizer(plain(), TrainSpec(weight_decay=0.1), session=0, device=CPU)
    for group in optimizer.param_groups:
        assert {p.ndim > 1 for p in group["params"]} == {group["weight_decay"] > 0}


def test_the_backbone_has_its_own_rate_and_the_first_session_its_own_base() -> None:
    train = TrainSpec(lr=1e-2, base_lr=1e-3, backbone_lr_scale=0.1)
    strategy = plain()
    inside = {id(p) for p in strategy.net.backbone.parameters()}
    for session, rate in ((0, 1e-3), (1, 1e-2)):
        for group in make_optimizer(strategy, train, session=session, device=CPU).param_groups:
            expected = rate * (0.1 if id(group["params"][0]) in inside else 1.0)
            assert group["lr"] == pytest.approx(expected)


def test_the_optimiser_holds_exactly_the_trainable_parameters() -> None:
    strategy = plain()
    strategy.net.backbone.requires_grad_(False)
    optimizer = make_optimizer(strategy, TrainSpec(), session=0, device=CPU)
    check_holds_exactly(optimizer, strategy)
    strategy.net.head.grow(1)
    with pytest.raises(RunError, match="misses"):
        check_holds_exactly(optimizer, strategy)
    optimizer = make_optimizer(strategy, TrainSpec(), session=0, device=CPU)
    strategy.net.head.freeze_old()
    with pytest.raises(RunError, match="not trainable"):
        check_holds_exactly(optimizer, strategy)


def test_nothing_to_train_is_an_error_that_says_so() -> None:
    strategy = plain()
    strategy.requires_grad_(False)
    with pytest.raises(RunError, match="no trainable parameter"):
        make_optimizer(strategy, TrainSpec(), session=0, device=CPU)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
def test_weights_may_get_their_first_gradient_late(kind: Literal["sgd", "adam", "adamw"]) -> None:
    # a part of the objective that begins in the middle of a session trains weights that had no gradient before
    early, late = (nn.Parameter(torch.tensor([1.0, -2.0])) for _ in range(2))
    strategy = Plain()
    strategy.net = nn.ParameterList([early, late])  # type: ignore[assignment]
    train = TrainSpec(optimizer=kind, momentum=0.9, lr=0.1)
    optimizer = make_optimizer(strategy, train, session=0, device=CPU)
    for _ in range(3):
        early.grad = torch.tensor([0.5, -0.25])
        optimizer.step()
    late.grad = torch.tensor([0.5, -0.25])
    optimizer.step()
    alone = nn.Parameter(torch.tensor([1.0, -2.0]))
    alone.grad = late.grad.clone()
    plain_kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    options = {"momentum": 0.9} if kind == "sgd" else {"weight_decay": 0.0}
    plain_kind([alone], lr=0.1, **options).step()
    assert torch.allclose(late, alone, atol=1e-7), "its first step is any weight's first step"


def test_schedules_by_hand() -> None:
    step = TrainSpec(schedule="step", milestones=[0.5, 0.75], gamma=0.1)
    assert [factor(step, step=s, steps=4) for s in range(4)] == pytest.approx([1, 1, 0.1, 0.01])
    cosine = TrainSpec(schedule="cosine", warmup=0.0)
    assert [factor(cosine, step=s, steps=4) for s in (0, 2, 4)] == pytest.approx([1, 0.5, 0])
    assert factor(TrainSpec(schedule="constant"), step=3, steps=4) == 1
    assert epochs(TrainSpec(epochs=3, base_epochs=5), 0) == 5 and epochs(TrainSpec(epochs=3, base_epochs=5), 1) == 3


def test_onecycle_reaches_its_largest_rate_at_the_end_of_the_warmup() -> None:
    train = TrainSpec(schedule="onecycle", warmup=0.2, lr=0.5)
    optimizer = make_optimizer(plain(), train, session=0, device=CPU)
    schedule = make_schedule(optimizer, train, steps=50)
    rates = []
    for _ in range(50):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert max(rates) == pytest.approx(0.5) and rates.index(max(rates)) == 9
    assert rates[0] == pytest.approx(0.5 / 25) and rates[-1] < 1e-4


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.2, 0.25, 1 / 3, 0.5])
def test_onecycle_works_for_every_number_of_steps(warmup: float) -> None:
    train = TrainSpec(schedule="onecycle", warmup=warmup, lr=0.5)
    for steps in range(1, 25):
        optimizer = make_optimizer(plain(), train, session=0, device=CPU)
        schedule = make_schedule(optimizer, train, steps=steps)
        for _ in range(steps - 1):
            assert 0 <= optimizer.param_groups[0]["lr"] <= 0.5 + 1e-9
            optimizer.step()
            schedule.step()
