from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from clbench.errors import UsageError
from clbench.nn.heads.by_name import HEADS, Network, build_head

SMALL: dict[str, dict[str, object]] = {
    "linear": {},
    "maxpool": {},
    "queries": {"d": 16, "heads": 4},
    "q2l": {"d": 16, "heads": 4, "dropout": 0.0},
    "mldecoder": {"d": 16, "heads": 4, "dropout": 0.0},
    "csra": {},
    "sarl": {"d": 16, "heads": 4, "hidden": 32, "dropout": 0.0},
    "mmdsr": {"d": 16, "heads": 4, "m1": False},
    "ica": {"d": 16, "heads": 4},
    "cigcn": {"d": 8},
    "joint": {"d": 16, "heads": 4, "mid": False},
    "gcn": {"vectors": 10, "hidden": 16},
}
ALL = sorted(SMALL)


def grown(name: str, *blocks: int, width: int = 12, seed: int = 0, options: dict[str, object] | None = None):
    torch.manual_seed(seed)
    head = build_head(name, width=width, options=SMALL[name] if options is None else options)
    for k in blocks:
        head.grow(k)
    return head.eval()


def a_map(batch: int = 3, width: int = 12, size: int = 4, seed: int = 1) -> torch.Tensor:
    return torch.randn(batch, width, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", ALL)
def test_a_head_gives_one_logit_per_seen_label(name):
    head = grown(name, 3)
    assert head(a_map()).shape == (3, 3)
    head.grow(2)
    assert head.seen == 5
    assert head(a_map()).shape == (3, 5)


@pytest.mark.parametrize("name", ALL)
def test_logits_are_label_features_met_by_classifier_rows(name):
    head = grown(name, 3, 2)
    features = head.label_features(a_map())
    weight, bias = head.classifier()
    assert weight.shape[0] == bias.shape[0] == 5
    assert features.shape[1] == (5 if head.ofol else 1)
    assert features.shape[2] == weight.shape[1]
    again = (features * weight).sum(-1) + bias
    torch.testing.assert_close(head(a_map()), again, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_growing_keeps_old_tensors_and_their_values(name):
    head = grown(name, 3)
    before = {key: (parameter, parameter.detach().clone()) for key, parameter in head.named_parameters()}
    head.grow(2)
    after = dict(head.named_parameters())
    assert len(after) > len(before)
    for key, (parameter, value) in before.items():
        assert after[key] is parameter
        assert torch.equal(parameter, value)


@pytest.mark.parametrize("name", ALL)
def test_old_logits_do_not_depend_on_what_arrives_unless_labels_look_at_each_other(name):
    head = grown(name, 3, 2)
    before = head(a_map())
    with torch.no_grad():
        for table in head.tables():
            table.blocks[1].fill_(float("nan"))
    after = head(a_map())
    assert torch.isnan(after[:, 3:]).all()
    assert torch.equal(after[:, :3], before[:, :3]) is not head.entangled
    assert head.entangled is (name in {"q2l", "cigcn", "joint", "gcn"})


@pytest.mark.parametrize("name", ALL)
def test_growing_draws_from_the_global_generator(name):
    head, same, other = grown(name, 3), grown(name, 3), grown(name, 3)
    for model, seed in ((head, 7), (same, 7), (other, 8)):
        torch.manual_seed(seed)
        model.grow(2)
    assert torch.equal(head(a_map()), same(a_map()))
    assert not torch.equal(head(a_map())[:, 3:], other(a_map())[:, 3:])


@pytest.mark.parametrize("name", ALL)
def test_old_labels_can_be_frozen_and_the_new_ones_train(name):
    head = grown(name, 3, 2)
    head.freeze_old()
    old = head.old_parameters()
    assert old
    assert not any(parameter.requires_grad for parameter in old)
    new = [table.blocks[-1] for table in head.tables() if table.trainable]
    assert all(parameter.requires_grad for parameter in new)
    head(a_map()).sum().backward()
    assert all(parameter.grad is None for parameter in old)
    assert all(parameter.grad is not None for parameter in new)


@pytest.mark.parametrize("name", ALL)
def test_a_grown_head_loads_its_state(name):
    head = grown(name, 3, 2)
    other = grown(name, 3, 2, seed=5)
    assert not torch.equal(head(a_map()), other(a_map()))
    other.load_state_dict(head.state_dict())
    assert torch.equal(head(a_map()), other(a_map()))


@pytest.mark.parametrize("name", ALL)
def test_heads_work_on_channels_last_maps_and_under_bfloat16(name):
    head = grown(name, 4)
    plain = head(a_map())
    torch.testing.assert_close(head(a_map().contiguous(memory_format=torch.channels_last)), plain, rtol=1e-5, atol=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = head(a_map())
    torch.testing.assert_close(half.float(), plain, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ALL)
def test_a_head_can_be_copied(name):
    head = grown(name, 3)
    twin = copy.deepcopy(head)
    head.grow(1)
    assert twin.seen == 3
    twin.grow(1)
    assert twin(a_map()).shape == head(a_map()).shape


def test_every_head_has_a_name_and_describes_itself():
    assert set(ALL) <= set(HEADS)
    assert all((kind.__doc__ or "").split("\n")[0].endswith(".") for kind in HEADS.values())


def test_linear_head_is_average_pooling_and_a_linear_layer():
    head = grown("linear", 3, 2)
    layer = nn.Linear(12, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.cat(list(head.weight.blocks)))
        layer.bias.copy_(torch.cat(list(head.bias.blocks)))
    torch.testing.assert_close(head(a_map()), layer(a_map().mean((2, 3))))


def test_maxpool_head_takes_the_largest_activation_of_each_channel():
    head = grown("maxpool", 2)
    features = torch.zeros(1, 12, 2, 2)
    features[0, 3, 1, 0] = 2.0
    features[0, 5] = -1.0
    weight, bias = head.classifier()
    expected = 2.0 * weight[:, 3] - weight[:, 5] + bias
    torch.testing.assert_close(head(features)[0], expected)


def test_unknown_names_options_and_types_are_designed_errors():
    with pytest.raises(UsageError, match=r"'quries' is unknown. Did you mean 'queries'"):
        build_head("quries", width=8, options={})
    with pytest.raises(UsageError, match=r"head_options\.stagse .*Did you mean 'stages'"):
        build_head("queries", width=8, options={"stagse": 1})
    with pytest.raises(UsageError, match=r"head_options\.d of head 'queries' is 'wide', expected int"):
        build_head("queries", width=8, options={"d": "wide"})
    with pytest.raises(UsageError, match="divisible"):
        build_head("queries", width=8, options={"d": 10, "heads": 4})
    with pytest.raises(UsageError, match="at least one"):
        build_head("linear", width=8, options={}).grow(0)


def test_a_network_is_its_backbone_and_its_head():
    backbone = nn.Conv2d(3, 12, 2)
    head = grown("linear", 3)
    network = Network(backbone, head)
    images = torch.randn(2, 3, 6, 6)
    assert torch.equal(network.features(images), backbone(images))
    assert torch.equal(network(images), head(backbone(images)))
