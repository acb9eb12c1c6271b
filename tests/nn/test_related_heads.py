from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from clbench.errors import UsageError
from clbench.nn.heads.by_name import CSRAHead, MLDecoderHead, Query2LabelHead, build_head


def a_map(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 12, 3, 4, generator=torch.Generator().manual_seed(1)).double()


def ready(head, *blocks: int):
    for k in blocks:
        head.grow(k)
    return head.double().eval()


def q2l(**options) -> Query2LabelHead:
    torch.manual_seed(0)
    return Query2LabelHead(width=12, **{"d": 16, "heads": 4, "hidden": 24, **options})


def mldecoder(**options) -> MLDecoderHead:
    torch.manual_seed(0)
    return MLDecoderHead(width=12, **{"d": 16, "heads": 4, "hidden": 24, **options})


def csra(**options) -> CSRAHead:
    torch.manual_seed(0)
    return CSRAHead(width=12, **options)


MAKERS = [
    q2l,
    lambda: q2l(self_attention=False),
    mldecoder,
    lambda: mldecoder(group_size=2),
    csra,
    lambda: csra(heads=4),
]


@pytest.mark.parametrize("make", MAKERS)
def test_attention_rows_are_distributions_over_positions(make):
    head = ready(make(), 3, 2)
    attention = head.attention(a_map())
    assert attention.shape[0] == 2
    assert attention.shape[2:] == (5, 12)
    assert (attention >= 0).all()
    assert (attention.sum(-1) - 1).abs().max() < 1e-14


def grown_difference(head) -> float:
    head = ready(head, 4)
    before = head(a_map())
    head.grow(2)
    return (head.double()(a_map())[:, :4] - before).abs().max().item()


@pytest.mark.parametrize("make", [lambda: q2l(self_attention=False), mldecoder, lambda: mldecoder(group_size=3), csra])
def test_growing_leaves_old_logits_where_labels_do_not_see_each_other(make):
    assert grown_difference(make()) < 1e-14


def test_growing_changes_old_logits_under_self_attention_between_labels():
    assert grown_difference(q2l(self_attention=True)) > 1e-2


@pytest.mark.parametrize("make", [lambda: q2l(self_attention=False), mldecoder, csra])
def test_the_loss_of_a_label_leaves_the_rows_of_others_alone(make):
    head = ready(make(), 1, 1, 1)
    head(a_map())[:, 1].square().sum().backward()
    for table in head.tables():
        if table.trainable:
            assert (table.blocks[1].grad != 0).any()
            for label in (0, 2):
                assert (table.blocks[label].grad == 0).all()


def test_under_self_attention_the_loss_of_a_label_moves_the_queries_of_all():
    head = ready(q2l(dropout=0.0), 1, 1, 1)
    head(a_map())[:, 1].square().sum().backward()
    assert all((block.grad != 0).any() for block in head.queries.blocks)
    for table in (head.weight, head.bias):
        assert [(block.grad != 0).any().item() for block in table.blocks] == [False, True, False]


@pytest.mark.parametrize("self_attention", [True, False])
def test_permuting_labels_permutes_logits_with_self_attention_too(self_attention):
    head, other = (ready(q2l(dropout=0.0, self_attention=self_attention), 5) for _ in range(2))
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        for table in other.tables():
            table.blocks[0].copy_(table.blocks[0][order])
    torch.testing.assert_close(other(a_map()), head(a_map())[:, order], rtol=0, atol=4e-15)


def test_labels_of_a_group_share_what_moves_them():
    head = ready(mldecoder(group_size=2), 4)
    features = head.label_features(a_map())
    assert torch.equal(features[:, 0], features[:, 1])
    assert (features[:, 1] - features[:, 2]).abs().max() > 1e-3
    head.grow(3)
    assert head.group.tolist() == [0, 0, 1, 1, 2, 2, 3]
    assert [len(block) for block in head.queries.blocks] == [2, 2]
    assert not any(block.requires_grad for block in head.queries.blocks)


def copied(ours, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.k.weight, ours.v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, ours.k.bias, ours.v.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())


def test_the_decoder_equals_one_put_together_from_torch_parts():
    """Zero target, label embedding added to queries (and keys of the self-attention) of every layer, post-norm."""
    head = ready(q2l(dropout=0.0, positional="none"), 5)
    memory = head.projection(a_map().flatten(2).transpose(1, 2))
    encoder = head.encoder[0]
    attention = nn.MultiheadAttention(16, 4, batch_first=True).double()
    copied(encoder.attention, attention)
    memory = encoder.norm1(memory + attention(memory, memory, memory)[0])
    memory = encoder.norm2(memory + encoder.ffn(memory))
    label = head.queries()[None].expand(2, -1, -1)
    x = torch.zeros(2, 5, 16).double()
    for layer in head.decoder:
        copied(layer.own, attention)
        x = layer.own_norm(x + attention(x + label, x + label, x)[0])
        copied(layer.cross, attention)
        x = layer.norm1(x + attention(x + label, memory, memory)[0])
        x = layer.norm2(x + layer.ffn(x))
    torch.testing.assert_close(head.label_features(a_map()), head.norm(x), rtol=1e-10, atol=1e-10)


def test_ml_decoder_equals_one_put_together_from_torch_parts():
    head = ready(mldecoder(dropout=0.0), 5)
    layer = head.layers[0]
    attention = nn.MultiheadAttention(16, 4, batch_first=True).double()
    copied(layer.attention, attention)
    memory = functional.relu(head.projection(a_map().flatten(2).transpose(1, 2)))
    x = layer.norm1(2 * head.queries()[None].expand(2, -1, -1))
    x = layer.norm2(x + attention(x, memory, memory)[0])
    x = layer.norm3(x + layer.ffn(x))
    torch.testing.assert_close(head.label_features(a_map()), x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("make", [q2l, mldecoder])
def test_every_image_has_a_dropout_mask_of_its_own(make):
    head = ready(make(), 3).train()
    same = a_map(1).expand(4, -1, -1, -1)
    logits = head(same)
    assert (logits[0] - logits[1]).abs().max() > 1e-6
    assert torch.equal(head.eval()(same)[0], head(same)[0])


def test_csra_equals_its_formula_with_plain_loops():
    head, x = ready(csra(heads=2, lam=0.3), 3), a_map()
    weight = head.weight()
    for b in range(2):
        positions = x[b].flatten(1).T
        for j in range(3):
            logit = 0.0
            for i, temperature in enumerate((1, 99)):
                m = weight[j, i] / weight[j, i].norm()
                scores = positions @ m
                share = torch.softmax(temperature * scores, 0)
                picked = positions[scores.argmax()] if temperature == 99 else (share[:, None] * positions).sum(0)
                logit += ((positions.mean(0) + 0.3 * picked) @ m).item()
            assert head(x)[b, j].item() == pytest.approx(logit, rel=1e-12)


def test_csra_without_its_residual_is_average_pooling_with_unit_classifiers():
    head = ready(csra(lam=0.0), 4)
    unit = functional.normalize(head.weight()[:, 0], dim=1)
    torch.testing.assert_close(head(a_map()), a_map().mean((2, 3)) @ unit.T, rtol=1e-12, atol=1e-12)


def test_impossible_options_are_designed_errors():
    for name, options in (
        ("q2l", {"decoders": 0}),
        ("mldecoder", {"group_size": 0}),
        ("csra", {"heads": 3}),
        ("q2l", {"dropout": 1.0}),
    ):
        with pytest.raises(UsageError):
            build_head(name, width=8, options=options)
