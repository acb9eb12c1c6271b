from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.errors import UsageError
from clbench.nn.losses import MaskedCriterion, as_targets, asl, bce, known, label_ratio_weights, positive_ratio

NAN = float("nan")


def some(seed: int, batch: int = 6, labels: int = 5, unknown: float = 0.4) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(batch, labels, generator=g) * 3
    targets = (torch.rand(batch, labels, generator=g) < 0.4).float()
    targets[torch.rand(batch, labels, generator=g) < unknown] = NAN
    return logits, targets


def plain(logits, targets, entry, reduction):
    """Sum of `entry(x, t)` over known entries by plain loops."""
    total, count = 0.0, 0
    for i in range(len(logits)):
        for j in range(logits.shape[1]):
            if not math.isnan(float(targets[i, j])):
                total += entry(float(logits[i, j]), float(targets[i, j]))
                count += 1
    return total / {"mean": max(count, 1), "sum": len(logits), "total": 1}[reduction]


def plain_bce(x, t):
    p = 1 / (1 + math.exp(-x))
    return -(t * math.log(p) + (1 - t) * math.log(1 - p))


def plain_asl(x, t, gamma_neg=4.0, gamma_pos=1.0, clip=0.05):
    p = 1 / (1 + math.exp(-x))
    if t == 1:
        return -((1 - p) ** gamma_pos) * math.log(p)
    q = max(p - clip, 0.0)
    return -(q**gamma_neg) * math.log(1 - q)


@pytest.mark.parametrize("reduction", ["mean", "sum", "total"])
@pytest.mark.parametrize("seed", range(3))
def test_losses_equal_their_plain_formulas(reduction, seed):
    logits, targets = some(seed)
    assert float(bce(logits, targets, reduction=reduction)) == pytest.approx(
        plain(logits, targets, plain_bce, reduction), rel=1e-5
    )
    ours = asl(logits, targets, gamma_neg=4, gamma_pos=1, clip=0.05, reduction=reduction)
    assert float(ours) == pytest.approx(plain(logits, targets, plain_asl, reduction), rel=1e-5)


def test_asymmetric_loss_without_focus_and_clip_is_cross_entropy():
    logits, targets = some(1)
    plain_loss = bce(logits, targets, reduction="total")
    torch.testing.assert_close(asl(logits, targets, gamma_neg=0, gamma_pos=0, clip=0), plain_loss)


def test_focusing_factors_stay_out_of_the_gradient_unless_asked_for():
    targets = torch.tensor([[0.0]])
    slopes = []
    for focus in (False, True):
        logit = torch.tensor([[0.3]], requires_grad=True)
        asl(logit, targets, gamma_neg=2, clip=0, focus_gradient=focus).backward()
        slopes.append(float(logit.grad))
    p = 1 / (1 + math.exp(-0.3))
    assert slopes[0] == pytest.approx(p**2 * p, rel=1e-5)
    # d/dx [-p^2 log(1 - p)] = p^3 - 2 p^2 (1 - p) log(1 - p)
    assert slopes[1] == pytest.approx(p**3 - 2 * p**2 * (1 - p) * math.log(1 - p), rel=1e-5)


@pytest.mark.parametrize("loss", [bce, asl])
@pytest.mark.parametrize("reduction", ["mean", "sum", "total"])
def test_unknown_entries_give_no_gradient_and_no_nan(loss, reduction):
    logits, targets = some(2)
    targets[:, 1] = NAN
    logits[0, 1] = 1e4
    logits.requires_grad_()
    value = loss(logits, targets, reduction=reduction)
    assert torch.isfinite(value)
    value.backward()
    assert torch.isfinite(logits.grad).all()
    assert (logits.grad[~known(targets)] == 0).all()
    assert (logits.grad[:, 1] == 0).all()


@pytest.mark.parametrize("loss", [bce, asl])
@pytest.mark.parametrize("reduction", ["mean", "sum", "total"])
def test_nothing_known_is_zero_with_a_graph(loss, reduction):
    logits = torch.randn(3, 4, requires_grad=True)
    value = loss(logits, torch.full((3, 4), NAN), reduction=reduction)
    assert value.item() == 0.0
    value.backward()
    assert (logits.grad == 0).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([bce, asl]))
def test_the_mean_loss_does_not_change_when_labels_are_added(seed, copies, loss):
    logits, targets = some(seed, unknown=0.2)
    before = loss(logits, targets, reduction="mean")
    torch.testing.assert_close(loss(logits.repeat(1, copies), targets.repeat(1, copies), reduction="mean"), before)
    hidden = torch.cat([targets, torch.full_like(targets, NAN)], 1)
    torch.testing.assert_close(loss(logits.repeat(1, 2), hidden, reduction="mean"), before)


def test_the_step_on_old_logits_is_the_same_however_many_labels_share_it_under_the_sum():
    logits, targets = some(3, unknown=0.0)
    grads = []
    for copies in (1, 3):
        x = logits.clone().requires_grad_()
        bce(x.repeat(1, copies), targets.repeat(1, copies), reduction="sum").backward()
        grads.append(x.grad)
    torch.testing.assert_close(grads[1], 3 * grads[0])


def test_confident_mistakes_stay_finite_and_keep_a_gradient():
    logits = torch.tensor([[-200.0, 200.0]], requires_grad=True)
    bce(logits, torch.tensor([[1.0, 0.0]]), reduction="total").backward()
    torch.testing.assert_close(logits.grad, torch.tensor([[-1.0, 1.0]]))
    logits.grad = None
    value = asl(logits, torch.tensor([[1.0, 0.0]]))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[0, 0]) == -1.0


def test_half_precision_logits_are_lifted_before_the_loss():
    logits, targets = some(4)
    half = bce(logits.bfloat16(), targets)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, bce(logits.bfloat16().float(), targets))


def test_label_ratio_weights_lift_the_rarer_side():
    targets = torch.tensor([[1.0, 0.0], [0.0, NAN], [0.0, 0.0], [NAN, 1.0]])
    ratio = positive_ratio(targets)
    torch.testing.assert_close(ratio, torch.tensor([1 / 3, 1 / 3]))
    weights = label_ratio_weights(targets, ratio=ratio)
    up, down = math.exp(2 / 3), math.exp(1 / 3)
    torch.testing.assert_close(weights, torch.tensor([[up, down], [down, 1.0], [down, down], [1.0, up]]))
    logits = torch.randn(4, 2)
    ours = bce(logits, targets, reduction="total", weight=weights)
    entries = [float(weights[i, j]) * plain_bce(float(logits[i, j]), float(targets[i, j]))
               for i in range(4) for j in range(2) if not targets[i, j].isnan()]  # fmt: skip
    assert float(ours) == pytest.approx(sum(entries), rel=1e-5)


def test_the_masked_criterion_reads_minus_one_as_unknown_and_slices_to_the_width():
    logits = torch.randn(3, 2, requires_grad=True)
    y = torch.tensor([[1, -1, 1], [0, 1, -1], [-1, -1, 0]], dtype=torch.int8)
    criterion = MaskedCriterion()
    value = criterion(logits, y)
    torch.testing.assert_close(value, bce(logits, torch.tensor([[1, NAN], [0, 1], [NAN, NAN]])))
    value.backward()
    assert (logits.grad[2] == 0).all()
    narrow = criterion(torch.randn(3, 5), y)
    assert torch.isfinite(narrow)
    assert float(criterion(torch.randn(2, 2), -torch.ones(2, 2, dtype=torch.int8))) == 0.0


def test_int_labels_become_float_targets():
    targets = as_targets(torch.tensor([[1, 0, -1]], dtype=torch.int8))
    assert targets[0, :2].tolist() == [1.0, 0.0]
    assert targets[0, 2].isnan()


def test_an_unknown_reduction_is_a_designed_error():
    with pytest.raises(UsageError, match="Did you mean 'mean'"):
        bce(torch.zeros(1, 1), torch.zeros(1, 1), reduction="maen")  # type: ignore[arg-type]
