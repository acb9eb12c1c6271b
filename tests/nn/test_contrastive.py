"""SADCL's two contrasts against plain loops, closed forms and what must not matter."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from clbench.nn.contrastive import pscl, sscl, sscl_views

NAN = float("nan")


def some(
    views: int = 2, batch: int = 5, labels: int = 4, d: int = 6, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    targets = (torch.rand(batch, labels, generator=g) < 0.5).double()
    targets[0, 0] = 1.0
    return torch.randn(views, batch, labels, d, generator=g).double(), targets


def plain_sscl(features: torch.Tensor, targets: torch.Tensor, *, t: float = 0.2, counts=None) -> float:
    """The formula, anchor by anchor; `counts(view, image, label)` says which anchors enter the sum."""
    views, batch, labels = features.shape[:3]
    anchors = [
        (v, b, j) for v in range(views) for b in range(batch) for j in range(labels) if float(targets[b, j]) == 1
    ]
    z = {a: functional.normalize(features[a], dim=0) for a in anchors}
    total = 0.0
    for anchor in anchors:
        others = [a for a in anchors if a != anchor]
        partners = [a for a in others if a[2] == anchor[2]]
        if not partners or (counts is not None and not counts(*anchor)):
            continue
        everyone = sum(math.exp(float(z[anchor] @ z[a]) / t) for a in others)
        total -= sum(math.log(math.exp(float(z[anchor] @ z[p]) / t) / everyone) for p in partners) / len(partners)
    return total / len(anchors)


def plain_pscl(
    x: torch.Tensor, c: torch.Tensor, targets: torch.Tensor, *, t: float = 0.07, empty: str = "push"
) -> float:
    total, pairs = 0.0, 0
    for j in range(len(c)):
        value = {i: float(functional.cosine_similarity(x[i, j], c[j], dim=0)) / t for i in range(len(x))}
        known = [i for i in value if not math.isnan(float(targets[i, j]))]
        positive = [i for i in known if float(targets[i, j]) == 1]
        pairs += len(positive)
        everyone = sum(math.exp(value[i]) for i in known)
        if positive:
            total -= math.log(sum(math.exp(value[i]) for i in positive) / everyone)
        elif known and empty == "push":
            total += math.log(everyone) - max(value[i] for i in known)
    return total / pairs


# ---------------------------------------------------------------- between samples


@pytest.mark.parametrize("seed", range(4))
def test_the_contrast_of_samples_is_its_formula(seed):
    features, targets = some(seed=seed)
    assert sscl_views(features, targets).item() == pytest.approx(plain_sscl(features, targets), abs=5e-15)


def test_unknown_labels_are_no_anchors():
    features, targets = some()
    hidden = torch.where(targets == 0, NAN, targets)
    assert sscl_views(features, hidden).item() == sscl_views(features, targets).item()


@pytest.mark.parametrize("axis", ["labels", "images", "views"])
def test_no_order_matters_to_the_contrast_of_samples(axis):
    features, targets = some()
    before = sscl_views(features, targets)
    if axis == "labels":
        order = torch.tensor([2, 0, 3, 1])
        after = sscl_views(features[:, :, order], targets[:, order])
    elif axis == "images":
        order = torch.tensor([4, 1, 0, 3, 2])
        after = sscl_views(features[:, order], targets[order])
    else:
        after = sscl_views(features.flip(0), targets)
    torch.testing.assert_close(after, before, rtol=0, atol=2e-15)


def test_only_directions_of_present_labels_matter_to_the_contrast_of_samples():
    features, targets = some()
    features.requires_grad_()
    loss = sscl_views(features, targets)
    scaled = sscl_views(features * torch.rand(features.shape[:3], dtype=torch.double)[..., None].add(0.1), targets)
    torch.testing.assert_close(scaled, loss, rtol=0, atol=2e-15)
    (gradient,) = torch.autograd.grad(loss, features)
    absent = (targets == 0).expand(2, -1, -1)
    assert (gradient[absent] == 0).all()
    assert (gradient[~absent].abs().sum(-1) > 0).all()
    assert (gradient * features).sum(-1).abs().max() < 1e-15


@pytest.mark.parametrize("views", [1, 3])
def test_ideal_clusters_give_the_closed_form(views):
    """Features equal within a label and orthogonal between labels; n_j anchors of label j, T altogether."""
    targets = torch.tensor([[1.0, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 1]]).double()
    features = torch.eye(3).double().expand(views, 4, 3, 3)
    n = (views * targets.sum(0)).tolist()
    total, e = sum(n), math.exp(1 / 0.2)
    expected = sum(k * math.log(((k - 1) * e + total - k) / e) for k in n) / total
    assert sscl_views(features, targets).item() == pytest.approx(expected, abs=1e-9)


def test_an_anchor_without_partner_adds_nothing_and_counts():
    z = torch.eye(3).double()
    alone = sscl(z, torch.tensor([0, 1, 2]))
    assert alone.item() == 0
    pair = sscl(torch.cat([z, z[:1]]), torch.tensor([0, 1, 2, 0]))
    share = math.log(math.exp(5) / (math.exp(5) + 2))
    assert pair.item() == pytest.approx(-2 * share / 4, abs=1e-12)


@pytest.mark.parametrize("present", [0, 1])
def test_fewer_than_two_anchors_give_zero_with_a_gradient(present):
    features, targets = some(views=1)
    targets = torch.zeros_like(targets)
    targets[1, 2] = present
    features.requires_grad_()
    loss = sscl_views(features, targets)
    loss.backward()
    assert loss.item() == 0
    assert (features.grad == 0).all()


def test_the_official_mask_order_counts_anchors_by_the_label_of_another_image():
    # anchor number v * B + b, laid out view by view, is masked by image (v * B + b) // V
    features, targets = some(batch=6, seed=3)
    wrong = plain_sscl(features, targets, counts=lambda v, b, j: float(targets[(v * 6 + b) // 2, j]) == 1)
    assert sscl_views(features, targets, official_mask_order=True).item() == pytest.approx(wrong, abs=1e-12)
    assert wrong != pytest.approx(plain_sscl(features, targets), rel=0.05)


def test_the_official_mask_order_is_harmless_where_all_images_carry_the_same_labels():
    features, targets = some()
    same = targets[:1].expand(5, -1)
    gradients = []
    for order in (False, True):
        leaf = features.clone().requires_grad_()
        gradients.append(torch.autograd.grad(sscl_views(leaf, same, official_mask_order=order), leaf)[0])
    assert torch.equal(*gradients)


def test_half_precision_features_are_contrasted_in_float32():
    features, targets = some()
    half = sscl_views(features.bfloat16(), targets)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half.double(), sscl_views(features, targets), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("contrast", [sscl_views, lambda x, y: pscl(x[0], x[1, 0], y)])
def test_autocast_leaves_the_contrasts_in_float32(contrast):
    features, targets = some()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = contrast(features.float(), targets.float())
    assert found.item() == pytest.approx(contrast(features, targets).item(), rel=1e-5)


# ---------------------------------------------------------------- with prototypes


@pytest.mark.parametrize("empty", ["push", "skip"])
@pytest.mark.parametrize("seed", range(4))
def test_the_contrast_with_prototypes_is_its_formula(seed, empty):
    features, targets = some(seed=seed)
    x, c = features[0], features[1, 0]
    targets[:, 3] = 0
    targets[1:3, 1] = NAN
    assert pscl(x, c, targets, empty_class=empty).item() == pytest.approx(
        plain_pscl(x, c, targets, empty=empty), abs=1e-13
    )


def test_pushing_counts_for_more_than_skipping():
    features, targets = some()
    targets[:, 3] = 0
    push, skip = (pscl(features[0], features[1, 0], targets, empty_class=mode).item() for mode in ("push", "skip"))
    assert push > skip > 0


def test_no_order_of_labels_and_no_length_matters_to_the_contrast_with_prototypes():
    features, targets = some()
    x, c, order = features[0], features[1, 0], torch.tensor([2, 0, 3, 1])
    before = pscl(x, c, targets)
    torch.testing.assert_close(pscl(x[:, order], c[order], targets[:, order]), before, rtol=0, atol=2e-15)
    torch.testing.assert_close(pscl(3 * x, 0.2 * c, targets), before, rtol=0, atol=2e-15)


def test_a_label_present_everywhere_adds_nothing():
    features, targets = some()
    x, c = features[0], features[1, 0]
    targets[:, 2] = 1
    assert pscl(x[:, 2:3], c[2:3], targets[:, 2:3]).item() == 0
    without = [0, 1, 3]
    rest = pscl(x[:, without], c[without], targets[:, without])
    positives = targets.sum() / targets[:, without].sum()
    torch.testing.assert_close(pscl(x, c, targets) * positives, rest, rtol=0, atol=1e-12)


def test_absent_samples_are_pushed_and_unknown_ones_are_left_alone():
    features, targets = some(batch=6)
    targets[:3, 1] = torch.tensor([1.0, 0.0, NAN])
    x = features[0].clone().requires_grad_()
    pscl(x, features[1, 0], targets).backward()
    assert (x.grad[1, 1] != 0).any()
    assert (x.grad[2, 1] == 0).all()


def test_a_prototype_learns_from_its_own_label_only_and_only_where_it_is_present():
    features, targets = some()
    targets[:, 3] = 0
    for j in range(4):
        x, c = features[0].clone().requires_grad_(), features[1, 0].clone().requires_grad_()
        only = torch.full_like(targets, NAN)
        only[:, j] = targets[:, j]
        only[:, (j + 1) % 4] = 1  # a batch with a positive, whatever label j has
        pscl(x, c, only, empty_class="skip").backward()
        learned = (c.grad != 0).any(1).nonzero().flatten().tolist()
        mixed = 0 < targets[:, j].sum() < len(targets)
        assert learned == ([j] if mixed else [])


def test_a_prototype_of_zeros_stays_finite():
    features, targets = some()
    c = features[1, 0].clone()
    c[2] = 0
    c.requires_grad_()
    loss = pscl(features[0], c, targets)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(c.grad).all()


@pytest.mark.parametrize("fill", [0.0, NAN])
@pytest.mark.parametrize("empty", ["push", "skip"])
def test_a_batch_without_positives_gives_zero_with_a_gradient(fill, empty):
    features, targets = some()
    x = features[0].clone().requires_grad_()
    loss = pscl(x, features[1, 0], torch.full_like(targets, fill), empty_class=empty)
    loss.backward()
    assert loss.item() == 0
    assert (x.grad == 0).all()
