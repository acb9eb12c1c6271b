"""MMDSR's three modules: what of the graph can be checked exactly, and switches that restore the baseline."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.by_name import build_head
from clbench.nn.heads.dual_branch import ChannelAttention, DualBranch
from clbench.nn.heads.label_graph import LabelGraph, WeightedCosine
from clbench.nn.heads.mmdsr import MMDSRHead, chosen_levels
from clbench.nn.heads.network import Network, stage_shapes
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.heads.reconstruction import Reconstruction, cross_scale_product

SHAPES = [(4, 16, 16), (6, 8, 8), (10, 4, 4)]


def nodes(labels: int = 6, d: int = 8, batch: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(batch, labels, d, generator=torch.Generator().manual_seed(seed)).double()


def cosine(perspectives: int = 4, d: int = 8) -> WeightedCosine:
    torch.manual_seed(1)
    return WeightedCosine(d, perspectives=perspectives).double()


def maps(batch: int = 2) -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return [torch.randn(batch, *shape, generator=g).double() for shape in SHAPES]


def a_head(*blocks: int, seed: int = 0, **options) -> MMDSRHead:
    torch.manual_seed(seed)
    head = MMDSRHead(width=10, **{"d": 16, "heads": 4, **options})
    if head.wants_stages:
        head.attach(SHAPES)
    for k in blocks:
        head.grow(k)
    return head.double().eval()


# ---------------------------------------------------------------- weighted cosine


def test_similarities_are_symmetric_bounded_and_one_on_the_diagonal():
    a = cosine()(nodes())
    assert (a - a.transpose(1, 2)).abs().max() < 1e-15
    assert (a.diagonal(dim1=1, dim2=2) - 1).abs().max() < 1e-15
    assert a.abs().max() < 1 + 1e-15


def test_similarities_are_positive_semidefinite_before_the_threshold():
    a = cosine(d=16)(nodes(d=16))
    assert torch.linalg.eigvalsh(a).min() > 0
    kept = torch.where(a > 0, a, 0)
    found = [torch.linalg.eigvalsh(torch.where(m > 0, m, 0)).min() for m in cosine(1)(nodes(40, batch=20))]
    assert kept.shape == a.shape and min(found) < -1e-3  # dropping edges loses it


def test_permuting_labels_permutes_similarities_and_perspectives_have_no_order():
    c, order = cosine(), torch.tensor([4, 2, 0, 5, 1, 3])
    before = c(nodes())
    torch.testing.assert_close(c(nodes()[:, order]), before[:, order][:, :, order], rtol=0, atol=1e-15)
    with torch.no_grad():
        c.weight.copy_(c.weight.flip(0))
    torch.testing.assert_close(c(nodes()), before, rtol=0, atol=1e-15)


def test_neither_lengths_nor_signs_matter_to_similarities():
    c = cosine()
    before = c(nodes())
    scales = torch.rand(3, 6, 1, generator=torch.Generator().manual_seed(3)).double() + 0.1
    torch.testing.assert_close(c(nodes() * scales), before, rtol=0, atol=1e-15)
    with torch.no_grad():
        c.weight.mul_(torch.tensor([[3.0], [0.2], [1.0], [7.0]]))
        c.weight.mul_(torch.where(torch.arange(8) % 2 > 0, 1.0, -1.0))
    torch.testing.assert_close(c(nodes()), before, rtol=0, atol=1e-15)


def test_one_perspective_of_ones_is_the_plain_cosine():
    c = cosine(1)
    with torch.no_grad():
        c.weight.fill_(1)
    v = nodes()
    plain = functional.cosine_similarity(v.unsqueeze(2), v.unsqueeze(1), dim=-1)
    torch.testing.assert_close(c(v), plain, rtol=0, atol=1e-15)


def test_later_labels_do_not_enter_the_similarities_of_earlier_ones():
    c = cosine()
    before, v = c(nodes()), nodes()
    torch.testing.assert_close(before[:, :4, :4], c(v[:, :4]), rtol=0, atol=1e-15)
    v[:, 4:] = float("nan")
    assert torch.equal(c(v)[:, :4, :4], before[:, :4, :4])


def test_the_length_of_a_perspective_has_no_gradient():
    c = cosine()
    weights = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(4)).double()
    (gradient,) = torch.autograd.grad((c(nodes()) * weights).sum(), c.weight)
    assert (gradient * c.weight).sum(1).abs().max() < 2e-15
    assert gradient.abs().max() > 1e-3


def test_a_node_of_zeros_is_like_nothing_and_stays_finite():
    v = nodes()
    v[:, 2] = 0
    v.requires_grad_()
    a = cosine()(v)
    assert (a[:, 2] == 0).all()
    a.sum().backward()
    assert torch.isfinite(v.grad).all()


# ---------------------------------------------------------------- graph


def graph(**options) -> LabelGraph:
    torch.manual_seed(5)
    return LabelGraph(8, **options).double()


@pytest.mark.parametrize("normalise", ["symmetric", "row"])
def test_one_layer_is_its_formula(normalise):
    module, v = graph(normalise=normalise), nodes()
    a = module.cosine(v)
    a = torch.where(a > 0, a, 0)
    degree = a.sum(-1)
    scaled = a / degree[..., None] if normalise == "row" else a / (degree[..., None] * degree[:, None]).sqrt()
    expected = v + functional.leaky_relu(scaled @ v @ module.layers[0].weight.T, 0.2)
    torch.testing.assert_close(module(v, blocks=[6]), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(module.adjacency(v, blocks=[6]), scaled, rtol=1e-12, atol=1e-12)


def test_each_image_has_a_graph_of_its_own():
    a = graph().adjacency(nodes(), blocks=[6])
    assert (a[0] - a[1]).abs().mean() > 0.01


def test_rows_sum_to_one_when_divided_by_row():
    a = graph(normalise="row").adjacency(nodes(), blocks=[2, 4])
    assert (a.sum(-1) - 1).abs().max() < 1e-14
    assert (a[:, :2, 2:] == 0).all()


@pytest.mark.parametrize("epsilon", [-0.9, 0.0, 0.5, 0.99])
def test_any_threshold_leaves_outputs_finite(epsilon):
    v = nodes()
    v[:, 0] = 0
    assert torch.isfinite(graph(epsilon=epsilon)(v, blocks=[6])).all()


@pytest.mark.parametrize("normalise", ["symmetric", "row"])
@pytest.mark.parametrize("layers", [1, 2])
def test_labels_of_a_later_block_change_nothing_for_earlier_ones(normalise, layers):
    module = graph(normalise=normalise, layers=layers)
    v = nodes()
    assert torch.equal(module(v, blocks=[4, 2])[:, :4], module(v[:, :4], blocks=[4]))
    assert (module(v, blocks=[6])[:, :4] - module(v[:, :4], blocks=[4])).abs().max() > 1e-2
    together = module(v, blocks=[4, 2])[:, 4:]
    alone = module(v[:, 4:], blocks=[2])
    assert (together - alone).abs().max() > 1e-2  # the new do hear the old


# ---------------------------------------------------------------- several scales


def test_a_level_of_zeros_leaves_the_finest_level_as_it_is():
    levels = [torch.randn(2, 5, s, s).double() for s in (8, 4, 2)]
    levels[1].zero_()
    merged = cross_scale_product(levels)
    assert torch.equal(merged[0], levels[0])
    assert [m.shape for m in merged] == [level.shape for level in levels]


def test_the_product_keeps_the_shapes_of_the_levels():
    levels = [torch.randn(2, 5, h, w).double() for h, w in ((8, 12), (4, 6), (3, 3))]
    merged = cross_scale_product(levels)
    assert [m.shape for m in merged] == [level.shape for level in levels]
    assert torch.equal(merged[0] - levels[0] != 0, torch.ones_like(levels[0], dtype=torch.bool))


def test_the_product_is_added_at_the_finest_size():
    levels = [torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 2, 2), 3.0)]
    fine, coarse = cross_scale_product(levels)
    assert (fine == 2 + 6).all() and (coarse == 3 + 6).all()


def test_positions_of_a_level_attend_over_all_other_levels():
    torch.manual_seed(0)
    module = Reconstruction([4, 6, 10], d=16, heads=4).double()
    levels = [torch.randn(2, 16, 16).double() for _ in range(3)]
    merged, looks = module.attend(levels, maps=True)
    assert [m.shape for m in merged] == [(2, 16, 16)] * 3
    for look in looks:
        assert look.shape == (2, 4, 16, 32)
        assert (look >= 0).all() and (look.sum(-1) - 1).abs().max() < 1e-15


@pytest.mark.parametrize("kind", ["attn", "mul"])
def test_all_levels_reach_the_merged_map(kind):
    torch.manual_seed(0)
    module = Reconstruction([4, 6, 10], d=16, kind=kind).double()
    given = [x.requires_grad_() for x in maps()]
    merged = module(given)
    assert merged.shape == (2, 16, 4, 4)
    merged.square().sum().backward()
    assert all((x.grad != 0).any() for x in given)


def test_the_last_sizes_of_a_backbone_are_merged():
    assert chosen_levels([(8, 32, 32), *SHAPES], levels=3) == [1, 2, 3]
    assert chosen_levels([*SHAPES, (99, 4, 4)], levels=3) == [0, 1, 3]  # one convolution more at the last size
    assert chosen_levels([(32, 7, 7)] * 12, levels=3) == [9, 10, 11]
    assert chosen_levels(SHAPES[1:], levels=3) == [0, 1]
    with pytest.raises(UsageError, match="the backbone has one"):
        chosen_levels(SHAPES[:1], levels=3)


# ---------------------------------------------------------------- channels


def test_gates_are_open_shares_and_fusion_weights_sum_to_one():
    torch.manual_seed(0)
    module = DualBranch(12).double()
    with torch.no_grad():
        module.alpha.normal_()
    whole, local = module.gates(torch.randn(2, 12, 3, 4).double())
    assert whole.shape == (2, 12, 1, 1) and local.shape == (2, 12, 3, 4)
    assert all(((gate > 0) & (gate < 1)).all() for gate in (whole, local))
    assert (module.fusion().sum(0) - 1).abs().max() < 1e-15


def test_half_open_gates_and_equal_branches_give_one_and_a_half_times_the_map():
    module = DualBranch(12).double()
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 12, 3, 4).double()
    assert torch.equal(module(x), 1.5 * x)


def test_channel_attention_is_a_distribution_over_channels_and_begins_as_nothing():
    torch.manual_seed(0)
    module = ChannelAttention(12).double()
    x = torch.randn(2, 12, 3, 4).double()
    attention = module.attention(x)
    assert attention.shape == (2, 12, 12)
    assert (attention.sum(2) - 1).abs().max() < 1e-14
    assert torch.equal(module(x), x)
    with torch.no_grad():
        module.scale.fill_(0.5)
    where = (0, 3, 1, 2)
    mixed = sum(attention[0, 3, c] * x[0, c, 1, 2] for c in range(12))
    assert torch.allclose(module(x)[where], x[where] + 0.5 * mixed)


# ---------------------------------------------------------------- the head


def test_with_all_modules_off_it_is_the_linear_head_bit_for_bit():
    x = torch.randn(3, 10, 4, 4)
    heads = []
    for kind, options in ((MMDSRHead, {"m1": False, "m2": False, "m3": False}), (LinearHead, {})):
        torch.manual_seed(0)
        head = kind(width=10, **options)
        head.grow(3)
        head.grow(2)
        heads.append(head)
    assert torch.equal(heads[0](x), heads[1](x))
    assert not heads[0].ofol and not heads[0].wants_stages
    assert torch.equal(heads[0].label_features(x), heads[1].label_features(x))
    with pytest.raises(UsageError, match="no attention"):
        heads[0].attention(x)


@pytest.mark.parametrize("off", ["m1", "m2", "m3"])
def test_each_module_can_be_switched_off(off):
    head = a_head(3, 2, **{off: False})
    given = maps() if head.wants_stages else maps()[-1]
    assert head(given).shape == (2, 5)
    names = {name.partition(".")[0] for name, _ in head.named_parameters()}
    parts = {"m1": "reconstruction", "m2": "dual", "m3": "graph"}
    assert {part for part in parts.values() if part in names} == {parts[m] for m in parts if m != off}


@pytest.mark.parametrize("off", ["m1", "m2", "m3"])
def test_a_module_that_is_off_is_as_if_it_were_not_there_bit_for_bit(off):
    whole, without = a_head(3, 2, d=10, heads=2), a_head(3, 2, d=10, heads=2, **{off: False})
    kept = {name: value for name, value in whole.state_dict().items() if name in without.state_dict()}
    without.load_state_dict(kept)  # nothing is missing: what is off has no parameters, and needs none
    given = maps() if off != "m1" else maps()[-1]
    with torch.no_grad():
        found = without(given)
        if off == "m1":
            expected = whole(given)  # a single map is not reconstructed
        elif off == "m2":
            whole.dual = torch.nn.Identity()
            expected = whole(given)
        else:
            expected = functional.linear(whole.merged(given).mean(dim=(2, 3)), whole.weight(), whole.bias())
        assert torch.equal(found, expected)
        assert not torch.equal(a_head(3, 2, d=10, heads=2)(maps()), expected)


def test_only_rows_of_labels_grow():
    head = a_head(3)
    before = set(dict(head.named_parameters()))
    head.grow(2)
    new = {name: tuple(p.shape) for name, p in head.named_parameters() if name not in before}
    assert new == {
        "weight.blocks.1": (2, 16),
        "bias.blocks.1": (2,),
        "node.blocks.1": (2, 16),
        "node_bias.blocks.1": (2,),
    }


@pytest.mark.parametrize("options", [{}, {"m2": False}, {"msfr": "mul"}, {"cdbca": "qk"}, {"top": 1.0}, {"layers": 2}])
def test_logits_are_label_features_met_by_classifier_rows(options):
    head = a_head(3, 2, **options)
    features, (weight, bias) = head.label_features(maps()), head.classifier()
    assert features.shape == (2, 5, 32)
    torch.testing.assert_close((features * weight).sum(-1) + bias, head(maps()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"layers": 2, "normalise": "row"}, {"msfr": "mul"}])
def test_growing_leaves_old_outputs_exactly_as_they_were(options):
    head = a_head(4, **options)
    before = head(maps())
    head.grow(2)
    head.double()
    after = head(maps())
    assert torch.equal(after[:, :4], before)
    new = [table.blocks[1] for table in head.tables()]
    assert all((gradient == 0).all() for gradient in torch.autograd.grad(after[:, :4].sum(), new))
    old = [head.node.blocks[0]]
    assert (torch.autograd.grad(head(maps())[:, 4:].sum(), old)[0] != 0).any()  # new labels hear old ones


def test_old_labels_that_hear_new_ones_change_when_these_arrive():
    head = a_head(4, old_sees_new=True)
    before = head(maps())
    head.grow(2)
    head.double()
    assert head.entangled and not a_head(4).entangled
    assert (head(maps())[:, :4] - before).abs().max() > 1e-3


def test_in_one_session_it_makes_no_difference_who_hears_whom():
    one, other = a_head(5), a_head(5, old_sees_new=True)
    assert torch.equal(one(maps()), other(maps()))


def test_attention_is_where_a_labels_own_map_responds():
    looks = a_head(5).attention(maps())
    assert looks.shape == (2, 1, 5, 16)
    assert (looks > 0).all() and (looks.sum(-1) - 1).abs().max() < 1e-14


def test_a_network_gives_the_head_all_stages_and_others_the_last_map():
    from small_training import SmallBackbone

    torch.manual_seed(0)
    backbone = SmallBackbone()
    shapes = stage_shapes(backbone, image_size=16)
    assert shapes == [(6, 8, 8), (8, 4, 4), (12, 2, 2)] and backbone.training
    head = MMDSRHead(width=12, d=16)
    head.attach(shapes)
    head.grow(3)
    network = Network(backbone, head).eval()
    images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert network(images).shape == (2, 3)
    assert torch.equal(network.features(images), backbone(images))
    assert [tuple(m.shape[1:]) for m in network.maps(images)] == shapes


def test_impossible_options_are_designed_errors():
    for options, message in (
        ({"msfr": "mull"}, "Did you mean 'mul'"),
        ({"cdbca": "qkk"}, "Did you mean 'qk'"),
        ({"normalise": "sym"}, "It can be: symmetric, row. The default is symmetric."),
        ({"levels": 1}, "levels is 1"),
        ({"top": 0.0}, "top is 0"),
        ({"epsilon": 1.0}, "expected .* epsilon < 1"),
        ({"perspectives": 0}, "perspectives is 0"),
        ({"heads": 3}, "divisible by heads"),
    ):
        with pytest.raises(UsageError, match=message):
            build_head("mmdsr", width=8, options=options)
