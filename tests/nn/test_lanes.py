"""Lanes: against their definition, all at once against one by one, and what must not matter."""

from __future__ import annotations

import pytest
import torch
from small_transformers import lane_by_formula, pictures, transformer
from torch import nn

from clbench.errors import UsageError
from clbench.nn.prompts.lanes import LaneNetwork


def lanes(count: int, *, double: bool = True, selectors: int = 4, prompts: int = 3, blocks: int = 2) -> LaneNetwork:
    """Return a network with `count` lanes of one label each, every one with numbers of its own."""
    network = LaneNetwork(transformer(double=double), selectors=selectors, prompts=prompts, blocks=blocks)
    for t in range(count):
        network.grow()
        network.head.grow(1)
        network.to(torch.float64 if double else torch.float32)
        torch.manual_seed(t)
        for kept in (network.selectors[-1], network.prefixes[-1]):
            nn.init.normal_(kept)
    return network.eval()


def one_by_one(network: LaneNetwork, images: torch.Tensor, **options: bool) -> torch.Tensor:
    model, given = network.backbone.body.model, network.backbone.normalise(images)
    each = zip(network.selectors, network.prefixes, strict=True)
    return torch.stack([lane_by_formula(model, given, s, p, **options) for s, p in each], dim=1)


@torch.no_grad()
def test_all_lanes_at_once_are_each_of_them_by_its_definition():
    network = lanes(3)
    assert (network.maps(pictures()) - one_by_one(network, pictures())).abs().max() < 1e-13
    single = lanes(3, double=False)
    assert (single.maps(pictures()) - one_by_one(single, pictures())).abs().max() < 1e-5


@torch.no_grad()
def test_selectors_travel_and_are_not_put_back():
    network = lanes(1)
    assert (network.maps(pictures()) - one_by_one(network, pictures(), replaced=True)).abs().max() > 1e-3


def test_the_newest_lane_alone_trains_and_its_gradients_are_those_of_the_definition():
    network = lanes(2).train()
    network.backbone.eval()
    asked = [network.selectors[-1], network.prefixes[-1]]
    ours = network.maps(pictures())
    assert ours.shape == (5, 1, 16)
    wanted = lane_by_formula(network.backbone.body.model, network.backbone.normalise(pictures()), *asked)
    weight = torch.randn(5, 16, dtype=torch.float64)
    for a, b in zip(*(torch.autograd.grad((f * weight).sum(), asked) for f in (ours[:, 0], wanted)), strict=True):
        assert (a - b).abs().max() < 1e-12 and b.abs().max() > 1e-6
    assert {name for name, p in network.named_parameters() if p.requires_grad} == {
        "selectors.1", "prefixes.1", "head.weight.blocks.0", "head.weight.blocks.1", "head.bias.blocks.0",
        "head.bias.blocks.1",
    }  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_an_old_lane_answers_to_the_bit_however_many_come_after_it(batch: int):
    network = lanes(1, double=False)
    before = network(pictures(batch))
    for t in range(1, 6):
        network.grow()
        network.head.grow(1)
        nn.init.normal_(network.selectors[-1])
        after = network(pictures(batch))
        assert after.shape == (batch, t + 1)
        assert torch.equal(after[:, :1], before)


@torch.no_grad()
def test_a_new_lane_starts_as_the_last_one_and_the_first_is_orthonormal():
    network = LaneNetwork(transformer(), selectors=4, prompts=3, blocks=2)
    network.grow()
    rows = network.selectors[0]
    assert torch.allclose(rows @ rows.T, torch.eye(4), atol=1e-6)
    network.grow()
    assert torch.equal(network.selectors[0], network.selectors[1])
    assert torch.equal(network.prefixes[0], network.prefixes[1])


@torch.no_grad()
def test_neither_the_order_of_selectors_nor_that_of_prefixes_matters():
    network = lanes(1)
    before = network.maps(pictures())
    network.selectors[0].copy_(network.selectors[0].flip(0))
    network.prefixes[0].copy_(network.prefixes[0].flip(2))
    assert (network.maps(pictures()) - before).abs().max() < 1e-14


@torch.no_grad()
def test_the_order_of_patches_does_not_matter():
    network = lanes(1)
    before = network.maps(pictures())
    model = network.backbone.body.model
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    # patches in another order, each with the position it had
    embed = model._pos_embed
    model._pos_embed = lambda x: embed(x)[:, torch.cat([torch.zeros(1, dtype=torch.int64), 1 + order])]
    assert (network.maps(pictures()) - before).abs().max() < 1e-14


@torch.no_grad()
def test_where_all_tokens_are_equal_selectors_do_not_matter():
    network = lanes(2, blocks=0)
    model = network.backbone.body.model
    model._pos_embed = lambda x: x.mean(1, keepdim=True).expand(-1, 17, -1)
    features = network.maps(pictures())
    assert (features[:, 0] - features[:, 1]).abs().max() < 1e-14


@torch.no_grad()
def test_a_lane_answers_for_its_own_labels_alone():
    network = lanes(3)
    before = network(pictures())
    network.selectors[1].add_(torch.randn(4, 16))
    moved = (network(pictures()) - before).abs().amax(0)
    assert moved[1] > 1e-4 and moved[0] == 0 and moved[2] == 0


def test_the_cost_is_a_pass_and_a_few_tokens_per_lane():
    assert lanes(2, selectors=4).cost() == pytest.approx(1 + 2 * 5 / 17)
    network = lanes(1, selectors=4, prompts=3, blocks=2)
    assert sum(p.numel() for n, p in network.named_parameters() if n.startswith(("sel", "pre"))) == 16 * (4 + 2 * 2 * 3)


def test_lanes_want_a_plain_transformer():
    with pytest.raises(UsageError, match="plain keys"):
        LaneNetwork(transformer(qk_norm=True), selectors=1, prompts=1, blocks=1)
