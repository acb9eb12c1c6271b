from __future__ import annotations

import pytest
import torch
from torch import nn

from clbench.nn.heads.by_name import build_head
from clbench.nn.penalty import PathIntegral, QuadraticPenalty, importance


def sessions(count: int, seed: int = 0):
    g = torch.Generator().manual_seed(seed)
    shapes = {"a": (3, 4), "b": (5,)}
    for _ in range(count):
        yield (
            {name: torch.randn(shape, generator=g) for name, shape in shapes.items()},
            {name: torch.rand(shape, generator=g) for name, shape in shapes.items()},
        )


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_two_sums_give_the_value_and_the_gradient_of_all_sessions(decay: float):
    penalty, kept = QuadraticPenalty(decay=decay), list(sessions(7))
    for anchor, fisher in kept:
        penalty.anchor(anchor, fisher)
    now = {name: torch.randn_like(tensor).requires_grad_() for name, tensor in kept[0][0].items()}
    value = penalty.value(now)
    value.backward()
    ours = {name: tensor.grad.clone() for name, tensor in now.items()}
    for tensor in now.values():
        tensor.grad = None
    ages = reversed(range(len(kept)))
    plain = sum(
        0.5 * decay**age * (f[n] * (now[n] - a[n]).square()).sum()
        for age, (a, f) in zip(ages, kept, strict=True)
        for n in now
    )
    plain.backward()
    torch.testing.assert_close(value.detach(), plain.detach(), rtol=1e-5, atol=1e-5)
    for name, tensor in now.items():
        torch.testing.assert_close(ours[name], tensor.grad, rtol=1e-5, atol=1e-5)


def test_what_is_kept_does_not_grow_with_the_sessions():
    sizes = []
    for count in (1, 6):
        penalty = QuadraticPenalty()
        for anchor, fisher in sessions(count):
            penalty.anchor(anchor, fisher)
        state = penalty.state()
        sizes.append(sum(tensor.numel() for part in ("weight", "pull") for tensor in state[part].values()))
    assert sizes[0] == sizes[1] == 2 * 17


def test_online_consolidation_decays_and_moves_its_anchor():
    penalty, kept = QuadraticPenalty(decay=0.5, recentre=True), list(sessions(3))
    fisher = {name: torch.zeros_like(tensor) for name, tensor in kept[0][1].items()}
    for anchor, more in kept:
        penalty.anchor(anchor, more)
        fisher = {name: 0.5 * fisher[name] + more[name] for name in fisher}
    now = {name: torch.randn_like(tensor).requires_grad_() for name, tensor in kept[0][0].items()}
    value = penalty.value(now)
    value.backward()
    last = kept[-1][0]
    plain = sum(0.5 * (fisher[n] * (now[n] - last[n]).square()).sum() for n in now).item()
    assert value.item() == pytest.approx(plain, rel=1e-5)
    for name, tensor in now.items():
        torch.testing.assert_close(tensor.grad, (fisher[name] * (tensor - last[name])).detach(), rtol=1e-4, atol=1e-5)
    assert penalty.value(last).item() == pytest.approx(0.0, abs=1e-5)


def test_labels_that_came_later_are_free_until_they_are_anchored():
    torch.manual_seed(0)
    head = build_head("linear", width=3, options={})
    head.grow(2)
    penalty = QuadraticPenalty()
    named = dict(head.named_parameters())
    penalty.anchor(named, {name: torch.ones_like(p) for name, p in named.items()})
    head.grow(2)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(1.0)
    penalty.value(dict(head.named_parameters())).backward()
    torch.testing.assert_close(head.weight.blocks[0].grad, torch.ones(2, 3))
    assert head.weight.blocks[1].grad is None
    assert QuadraticPenalty().value(dict(head.named_parameters())).item() == 0.0


def test_the_penalty_goes_on_from_its_state():
    penalty, kept = QuadraticPenalty(), list(sessions(3))
    penalty.anchor(*kept[0])
    other = QuadraticPenalty()
    other.load(penalty.state())
    for one in (penalty, other):
        one.anchor(*kept[1])
    assert torch.equal(penalty.value(kept[2][0]), other.value(kept[2][0]))
    assert len(other) == 2


def test_importance_per_image_is_the_mean_squared_gradient():
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    x = torch.randn(5, 3)
    losses = (layer(x[i]).square().sum() for i in range(5))
    fisher = importance(dict(layer.named_parameters()), losses)
    expected = torch.zeros(2, 3)
    for i in range(5):
        expected += (2 * layer(x[i]).detach()[:, None] * x[i]).square() / 5
    torch.testing.assert_close(fisher["weight"], expected)
    whole = importance(dict(layer.named_parameters()), [layer(x).square().sum(1).mean()])
    assert (whole["weight"] <= fisher["weight"] + 1e-6).all()
    mas = importance(dict(layer.named_parameters()), [layer(x[0]).square().sum()], power=1)
    torch.testing.assert_close(mas["bias"], (2 * layer(x[0])).abs().detach())
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_the_path_integral_of_a_quadratic_is_the_fall_of_the_loss():
    """Along small steps the sum of -gradient * movement tends to loss(start) - loss(end), weight by weight."""
    theta = {"w": nn.Parameter(torch.tensor([2.0, -1.0, 0.0]))}
    curvature = torch.tensor([1.0, 3.0, 5.0])
    path, optimiser = PathIntegral(theta, damping=0.1), torch.optim.SGD(theta.values(), lr=1e-3)
    start = 0.5 * curvature * theta["w"].detach().square()
    for _ in range(2000):
        optimiser.zero_grad()
        (0.5 * curvature * theta["w"].square()).sum().backward()
        optimiser.step()
        path.step(theta)
    fall = start - 0.5 * curvature * theta["w"].detach().square()
    moved = (theta["w"].detach() - torch.tensor([2.0, -1.0, 0.0])).square()
    torch.testing.assert_close(path.importance()["w"], fall / (moved + 0.1), rtol=1e-2, atol=1e-6)
    again = PathIntegral(theta, damping=0.1)
    again.load(path.state())
    assert torch.equal(again.importance()["w"], path.importance()["w"])
