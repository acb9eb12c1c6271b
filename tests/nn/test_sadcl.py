"""SADCL's head, bank and prototypes."""

from __future__ import annotations

import pytest
import torch

from clbench.errors import UsageError
from clbench.nn.bank import FeatureBank
from clbench.nn.prototypes import Prototypes, PrototypeSums
from clbench.nn.sadcl import SARLHead, projection

NAN = float("nan")


def a_head(*blocks: int, seed: int = 0, **options) -> SARLHead:
    torch.manual_seed(seed)
    head = SARLHead(width=12, **{"d": 16, "heads": 4, "hidden": 32, "dropout": 0.0, **options})
    for k in blocks:
        head.grow(k)
    return head.double().eval()


def a_map(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 12, 4, 5, generator=torch.Generator().manual_seed(1)).double()


# ---------------------------------------------------------------- label representations


@pytest.mark.parametrize("encoders", [0, 1])
def test_growing_leaves_old_label_representations(encoders):
    head = a_head(4, encoders=encoders)
    before = head(a_map())
    head.grow(2)
    head.double()
    grown = head(a_map())
    torch.testing.assert_close(grown[:, :4], before, rtol=0, atol=4e-15)
    new = [table.blocks[1] for table in head.tables()]
    assert all((gradient == 0).all() for gradient in torch.autograd.grad(grown[:, :4].sum(), new))


def test_the_loss_of_a_label_moves_only_its_own_rows_and_the_shared_maps():
    head = a_head(1, 1, 1, 1)
    head(a_map())[:, 2].square().sum().backward()
    for table in head.tables():
        assert [(block.grad != 0).any().item() for block in table.blocks] == [False, False, True, False]
    assert (head.projection.weight.grad != 0).any()


def test_permuting_labels_permutes_representations():
    head, order = a_head(5), torch.tensor([3, 0, 4, 1, 2])
    other = a_head(5)
    with torch.no_grad():
        for table in other.tables():
            table.blocks[0].copy_(table.blocks[0][order])
    torch.testing.assert_close(other(a_map()), head(a_map())[:, order], rtol=0, atol=4e-15)


def test_attention_rows_are_distributions_over_positions():
    maps = a_head(5).attention(a_map())
    assert maps.shape == (3, 4, 5, 20)
    assert (maps >= 0).all()
    assert (maps.sum(-1) - 1).abs().max() < 1e-15


def test_without_a_map_all_labels_have_the_same_representation():
    # the target starts from zero and the label embedding never joins the stream of values
    head = a_head(5, encoders=0, positional="none")
    features = head.label_features(torch.ones(1, 12, 4, 5).double())
    torch.testing.assert_close(features, features[:, :1].expand_as(features), rtol=0, atol=1e-13)


def test_label_features_pass_one_place_on_their_way():
    head, seen = a_head(5), []
    head.own.register_forward_hook(lambda module, given, put: seen.append(put))
    head(a_map())
    assert torch.equal(seen[0], head.label_features(a_map()))


# ---------------------------------------------------------------- bank


def test_a_bank_keeps_the_newest_features_of_each_label():
    bank = FeatureBank(2)
    bank.widen(3, d=1)
    bank.add(torch.tensor([[1.0], [2.0], [3.0], [4.0]]), torch.tensor([0, 2, 0, 0]))
    features, labels = bank.features()
    assert sorted(zip(labels.tolist(), features[:, 0].tolist(), strict=True)) == [(0, 3.0), (0, 4.0), (2, 2.0)]
    bank.add(torch.tensor([[5.0]]), torch.tensor([0]))
    features, labels = bank.features()
    assert sorted(features[labels == 0, 0].tolist()) == [4.0, 5.0]
    assert len(bank) == 3


def test_a_bank_is_the_queue_of_each_label():
    g = torch.Generator().manual_seed(0)
    bank, queues = FeatureBank(3), [[] for _ in range(4)]
    bank.widen(4, d=2)
    for step in range(30):
        labels = torch.randint(0, 4, (step % 7,), generator=g)
        features = torch.randn(len(labels), 2, generator=g)
        bank.add(features, labels)
        for label, feature in zip(labels.tolist(), features.tolist(), strict=True):
            queues[label] = [*queues[label], feature][-3:]
        held, of = bank.features()
        for label in range(4):
            assert sorted(held[of == label].tolist()) == sorted(queues[label])


def test_a_bank_has_no_gradient_and_widens_without_loss():
    bank = FeatureBank(2)
    bank.widen(1, d=2)
    leaf = torch.ones(1, 2, requires_grad=True)
    bank.add(leaf * 2, torch.tensor([0]))
    bank.widen(3, d=2)
    features, labels = bank.features()
    assert not features.requires_grad
    assert features.tolist() == [[2.0, 2.0]] and labels.tolist() == [0]


def test_a_saved_bank_goes_on_as_it_was():
    bank, twin = FeatureBank(2), FeatureBank(2)
    for each in (bank, twin):
        each.widen(2, d=1)
    bank.add(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1]))
    twin.load(bank.state())
    for each in (bank, twin):
        each.add(torch.tensor([[4.0]]), torch.tensor([0]))
    assert torch.equal(bank.features()[0], twin.features()[0])
    assert bank.state()["written"].tolist() == [3, 1]


def test_a_place_for_each_image_repeats_what_a_label_has():
    bank = FeatureBank(3)
    bank.widen(3, d=1)
    bank.add(torch.tensor([[1.0], [2.0], [9.0]]), torch.tensor([0, 0, 1]))
    assert bank.places(4)[..., 0].tolist() == [[1, 9, 0], [2, 9, 0], [1, 9, 0], [2, 9, 0]]


def test_an_impossible_bank_is_a_designed_error():
    with pytest.raises(UsageError, match="size is 0"):
        FeatureBank(0)


# ---------------------------------------------------------------- prototypes


def test_a_prototype_is_the_mean_of_confident_positives_or_of_all():
    features = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [7.0, 7.0]], [[5.0, 0.0], [0.0, 1.0], [7.0, 7.0]]])
    probabilities = torch.tensor([[0.9, 0.2, 0.99], [0.5, 0.3, 0.99]])
    targets = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, NAN]])
    sums = PrototypeSums(confidence=0.85)
    sums.add(features[:1], probabilities[:1], targets[:1])
    sums.add(features[1:], probabilities[1:], targets[1:])
    confident, fallen_back, absent = sums.prototypes()
    torch.testing.assert_close(confident, torch.tensor([3.0, 4.0]))
    # the mean direction of two unit vectors, as long as they are
    torch.testing.assert_close(fallen_back, torch.tensor([0.5, 0.5]).sqrt())
    assert absent.tolist() == [0, 0]


def test_prototypes_of_many_images_are_exact_under_autocast():
    features = torch.full((1000, 1, 2), 1.5)
    sums = PrototypeSums()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for part in features.split(250):
            sums.add(part, torch.zeros(250, 1), torch.ones(250, 1))
    torch.testing.assert_close(sums.prototypes(), torch.tensor([[1.5, 1.5]]))


def test_only_labels_without_a_prototype_take_one_and_old_ones_stay_fixed():
    prototypes = Prototypes(2)
    prototypes.grow(2)
    assert prototypes.take(torch.tensor([[1.0, 0.0], [0.0, 0.0]])).tolist() == [0]
    prototypes.grow(1)
    assert prototypes.take(torch.tensor([[5.0, 5.0], [0.0, 2.0], [3.0, 0.0]])).tolist() == [1, 2]
    assert prototypes().tolist() == [[1, 0], [0, 2], [3, 0]]
    assert [block.requires_grad for block in prototypes.blocks] == [False, True]


def test_replayed_prototypes_reach_old_classifier_rows_alone():
    prototypes = Prototypes(2)
    weight, bias = torch.ones(3, 2, requires_grad=True), torch.zeros(3, requires_grad=True)
    prototypes.grow(2)
    prototypes.take(torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    assert prototypes.replayed(weight, bias).item() == 0  # nothing is old yet
    prototypes.grow(1)
    loss = prototypes.replayed(weight, bias)
    loss.backward()
    assert loss.item() == pytest.approx(torch.nn.functional.softplus(torch.tensor(-2.0)).item())
    assert (weight.grad != 0).any(1).tolist() == [True, False, False]


def test_the_projection_is_two_layers():
    layers = projection(8, out=3)
    assert layers(torch.randn(2, 5, 8)).shape == (2, 5, 3)
    assert [tuple(p.shape) for p in layers.parameters()] == [(8, 8), (8,), (3, 8), (3,)]
