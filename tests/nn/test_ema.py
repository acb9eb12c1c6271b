from __future__ import annotations

import numpy as np
import torch
from tiny_scenarios import planned, scenario
from torch import nn

from clbench.method.strategy import Strategy
from clbench.nn.heads.by_name import build_head
from clbench.nn.shared.ema import EMA
from clbench.train.events import Event, StepEnded
from clbench.train.run import Run, RunOptions


def test_the_average_follows_its_recurrence():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ema = EMA(net, decay=0.9)
    expected = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    for step in range(5):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.randn_like(parameter))
        net(torch.randn(4, 3))
        ema.update(net)
        for name, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                expected[name] = 0.9 * expected[name] + 0.1 * tensor
            else:
                expected[name] = torch.tensor(step + 1)
    for name, tensor in ema.state().items():
        torch.testing.assert_close(tensor, expected[name])
    assert int(ema.state()["1.num_batches_tracked"]) == 5


def test_the_average_is_lent_to_the_module_and_taken_back():
    net = nn.Linear(2, 2)
    start = net.weight.detach().clone()
    ema = EMA(net, decay=0.5)
    with torch.no_grad():
        net.weight.add_(2.0)
    ema.update(net)
    with ema.applied(net):
        torch.testing.assert_close(net.weight, start + 1.0)
    assert torch.equal(net.weight, start + 2.0)


def test_rows_that_grow_enter_with_their_own_value():
    head = build_head("linear", width=3, options={})
    head.grow(2)
    ema = EMA(head, decay=0.5)
    head.grow(1)
    ema.update(head)
    assert torch.equal(ema.state()["weight.blocks.1"], head.weight.blocks[1].detach())


def test_frozen_parameters_are_not_averaged():
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    assert set(EMA(net, decay=0.5).state()) == {"weight"}


def test_the_state_round_trips_exactly():
    net = nn.Linear(2, 2)
    ema = EMA(net, decay=0.5)
    with torch.no_grad():
        net.weight.add_(1.0)
    ema.update(net)
    other = EMA(net, decay=0.5)
    other.load(ema.state())
    assert all(torch.equal(a, b) for a, b in zip(ema.state().values(), other.state().values(), strict=True))


def test_any_strategy_can_be_scored_on_averaged_weights_which_changes_nothing_else(tmp_path, monkeypatch):
    """The weights of the first session's steps are noted, and their average is taken anew."""
    path, runs, steps = scenario(tmp_path), {}, []

    def weight(run: Run) -> torch.Tensor:
        return run.strategy.net.head.weight.blocks[0].detach().clone()

    def note(event: Event) -> None:
        if isinstance(event, StepEnded) and event.session == 0:
            steps.append(weight(run))

    monkeypatch.setattr(Strategy, "prepare", lambda *_: steps.append(weight(run)) if not steps else None)
    for decay in ("0", "0.9"):
        steps.clear()
        options = RunOptions(results=tmp_path / decay, device="cpu", keep_weights=True)
        runs[decay] = run = Run(planned(path, "naive", f"train.ema={decay}"), options, watch=note)
        run.carry_out()
    plain, averaged = (run.strategy.state_dict() for run in runs.values())
    assert all(torch.equal(value, averaged[name]) for name, value in plain.items())
    expected, *later = steps
    assert len(later) > 5
    for step in later:
        expected = 0.9 * expected + 0.1 * step
    kept = torch.load(runs["0.9"].work / "weights-0.pt", weights_only=True)["module"]["net.head.weight.blocks.0"]
    torch.testing.assert_close(kept, expected)
    scores = [np.load(run.work / "scores-2.logits.npy") for run in runs.values()]
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
