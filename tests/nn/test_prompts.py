"""Prefixes, pools and components: what must not matter, and what the public ports do otherwise."""

from __future__ import annotations

import pytest
import torch
from small_training import SmallBackbone
from small_transformers import pictures, transformer

from clbench.errors import UsageError
from clbench.nn.backbones.transformer import after_block, class_tokens, embedded, queries_keys_values, transformer_of
from clbench.nn.heads.pooled import LinearHead
from clbench.nn.prompts.components import Components, orthonormal_rows, weights
from clbench.nn.prompts.network import PromptedNetwork, Prompts
from clbench.nn.prompts.pool import Pool, SessionPrompts, cosines, mixed_up, nearest


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def prompted(prompts: Prompts, *, double: bool = True) -> PromptedNetwork:
    network = PromptedNetwork(transformer(double=double), LinearHead(width=16), prompts).eval()
    return network.double() if double else network


# ---------------------------------------------------------------------- prefixes


@torch.no_grad()
def test_a_prefix_of_length_zero_is_the_plain_transformer_to_the_bit():
    for options in ({}, {"qk_norm": True, "init_values": 0.5}, {"reg_tokens": 2}):
        backbone = transformer(**options)
        model, images = transformer_of(backbone), backbone.normalise(pictures())
        tokens = embedded(model, images)
        assert torch.equal(class_tokens(model, tokens), model.forward_features(images)[:, 0])
        for block in model.blocks:
            assert torch.equal(after_block(block, tokens, torch.empty(2, 0, 16)), block(tokens))
            tokens = block(tokens)


@torch.no_grad()
def test_neither_the_order_of_a_prefix_matters_nor_the_images_own_keys_and_values_as_one():
    backbone = transformer(double=True)
    block, tokens = backbone.body.model.blocks[0], random(3, 17, 16)
    prefix = random(3, 2, 5, 16, seed=1)
    moved = after_block(block, tokens, prefix) - after_block(block, tokens)
    assert moved.abs().max() > 1e-2
    assert (after_block(block, tokens, prefix.flip(2)) - after_block(block, tokens, prefix)).abs().max() < 1e-14
    _, k, v = queries_keys_values(block.attn, block.norm1(tokens))
    own = torch.stack([k, v], dim=1).transpose(2, 3).flatten(3)
    assert (after_block(block, tokens, own) - after_block(block, tokens)).abs().max() < 1e-14


def test_what_is_no_plain_transformer_with_a_class_token_is_refused_in_words():
    with pytest.raises(UsageError, match=r"(?s)works inside the blocks.*SmallBackbone.*train.backbone=clbench_vit"):
        PromptedNetwork(SmallBackbone(), LinearHead(width=12), Prompts())
    with pytest.raises(UsageError, match="reads the class token"):
        transformer_of(transformer(class_token=False, global_pool="avg"))
    with pytest.raises(UsageError, match=r"block 3.*blocks 0 to 2"):
        prompted(Components(width=16, blocks=[0, 3], count=1, length=2))


# ---------------------------------------------------------------------- pools


def test_the_choice_does_not_depend_on_the_length_of_queries_and_keys():
    query, keys = random(6, 16), random(8, 16, seed=1)
    chosen = nearest(cosines(query, keys), top_k=3)
    assert torch.equal(nearest(cosines(7 * query, keys * torch.arange(1, 9)[:, None]), top_k=3), chosen)
    near = torch.cosine_similarity(query[:, None], keys[None], dim=-1)
    assert torch.equal(chosen, near.argsort(dim=1, descending=True)[:, :3])


@pytest.mark.parametrize("prefix", [False, True])
@torch.no_grad()
def test_where_all_prompts_are_chosen_keys_do_not_matter(prefix: bool):
    network = prompted(Pool(width=16, size=4, length=2, top_k=4, prefix=prefix))
    before = network.features(pictures())
    network.prompts.keys.copy_(random(4, 16, seed=3))
    assert (network.features(pictures()) - before).abs().max() < 1e-13
    network.prompts.prompts.add_(random(4, 2, 16))
    assert (network.features(pictures()) - before).abs().max() > 1e-3


@torch.no_grad()
def test_prompts_by_image_ignore_the_batch_and_prompts_by_majority_do_not():
    images = pictures(12)
    for batchwise in (False, True):
        network = prompted(Pool(width=16, size=12, length=2, top_k=1, legacy_batchwise=batchwise))
        model = transformer_of(network.backbone)
        # every image has a key of its own
        network.prompts.keys.copy_(class_tokens(model, embedded(model, network.backbone.normalise(images))))
        together = network.features(images)
        apart = torch.cat([network.features(image[None]) for image in images])
        assert bool((together - apart).abs().max() > 1e-3) is batchwise


def test_the_majority_decides_for_all_images_of_a_batch():
    near = torch.tensor([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.1]])
    assert nearest(near, top_k=1).tolist() == [[0], [1], [1]]
    assert nearest(near, top_k=1, legacy_batchwise=True).tolist() == [[1], [1], [1]]


def test_the_key_term_counts_an_images_own_keys_and_that_of_one_release_all_pairs_of_images():
    query, told = random(4, 16), {}
    for pairs in (False, True):
        pool = Pool(width=16, size=5, length=1, top_k=2, legacy_pairs=pairs).double()
        pool.keys.data = random(5, 16, seed=1)
        pool.near.register_forward_hook(lambda _, __, output, pairs=pairs: told.update({pairs: output.detach()}))
        pool(query)
    near = cosines(query, random(5, 16, seed=1))
    best = near.topk(2).indices
    by_hand = [[sum(near[i, k] for k in best[j]) for j in range(4)] for i in range(4)]
    assert torch.allclose(told[False], torch.stack([by_hand[i][i] for i in range(4)]))
    assert torch.allclose(told[True], torch.stack([sum(row) for row in by_hand]))


# ---------------------------------------------------------------------- prompts by session


def by_session(sessions: int, **options: bool) -> SessionPrompts:
    torch.manual_seed(4)
    prompts = SessionPrompts(
        width=16, shared_blocks=[0], own_blocks=[1, 2], shared_length=2, own_length=3, **options
    ).double()
    for _ in range(sessions):
        prompts.grow()
    return prompts.double()


def test_keys_and_prefixes_of_other_sessions_get_no_gradient():
    prompts = by_session(3).train()
    told: list[torch.Tensor] = []
    prompts.near.register_forward_hook(lambda _, __, output: told.append(output))
    chosen = prompts(random(4, 16))
    (told[0].sum() + sum(prefix.sum() for prefix in chosen.prefixes.values())).backward()
    assert [bool(part.grad is not None and part.grad.any()) for part in prompts.keys] == [False, False, True]
    assert [bool(part.grad is not None and part.grad.any()) for part in prompts.own] == [False, False, True]
    assert bool(prompts.shared.grad.any())


@torch.no_grad()
def test_an_image_gets_the_prefixes_of_the_nearest_key_and_growing_moves_nothing():
    prompts = by_session(2).eval()
    prompts.keys[1].copy_(-prompts.keys[0])
    prompts.own[1].add_(1.0)
    query = torch.stack([prompts.keys[0] * 3, prompts.keys[1]])
    before = prompts(query).prefixes
    assert torch.equal(before[1][0], prompts.own[0][0]) and torch.equal(before[1][1], prompts.own[1][0])
    prompts.grow()
    after = prompts(query).prefixes
    assert all(torch.equal(after[block], before[block]) for block in (0, 1, 2))


def test_the_ports_reshape_mixes_up_keys_and_values_of_a_batch():
    keys, values = torch.zeros(3, 16), torch.ones(3, 16)
    one = torch.stack([keys, values])
    mixed = mixed_up(one.expand(4, -1, -1, -1))
    assert mixed[:2].eq(0).all() and mixed[2:].eq(1).all()
    assert torch.equal(mixed_up(one[None]), one[None])
    each = torch.arange(4.0).view(4, 1, 1, 1) + torch.tensor([0.0, 0.5]).view(1, 2, 1, 1)
    assert mixed_up(each)[0].flatten().tolist() == [0.0, 1.0]


# ---------------------------------------------------------------------- components


def test_weights_are_cosines_that_no_scaling_changes_and_components_come_in_any_order():
    query, attention, keys = random(3, 16), random(6, 16, seed=1), random(6, 16, seed=2)
    alpha = weights(query, attention=attention, keys=keys)
    by_hand = torch.cosine_similarity(query[:, None] * attention, keys.expand(3, -1, -1), dim=-1)
    assert (alpha - by_hand).abs().max() < 1e-14
    factor = torch.arange(1.0, 7, dtype=torch.float64)[:, None]
    scaled = weights(5 * query, attention=attention * factor, keys=keys * factor.flip(0))
    assert (scaled - alpha).abs().max() < 1e-14
    order = [3, 1, 0, 5, 4, 2]
    assert (weights(query, attention=attention[order], keys=keys[order]) - alpha[:, order]).abs().max() < 1e-14


@torch.no_grad()
@pytest.mark.parametrize("zero_start", [False, True])
def test_growing_moves_prompts_unless_new_components_start_at_zero(zero_start: bool):
    components = Components(width=16, blocks=[0, 2], count=3, length=4, zero_start=zero_start)
    components.grow()
    components.prompts[0].normal_()
    before = components(random(5, 16).float()).prefixes
    components.grow()
    after = components(random(5, 16).float()).prefixes
    moved = max(float((after[block] - before[block]).abs().max()) for block in (0, 2))
    assert (moved < 1e-6) if zero_start else (moved > 1e-2)


def test_new_rows_are_orthogonal_to_all_trained_ones_and_one_by_one_they_are_not():
    earlier = random(5, 16)
    exact = orthonormal_rows(4, earlier=earlier)
    assert (exact @ earlier.T).abs().max() < 1e-14
    assert (exact @ exact.T - torch.eye(4)).abs().max() < 1e-14
    askew = orthonormal_rows(4, earlier=earlier, legacy_gram_schmidt=True)
    assert (askew @ torch.nn.functional.normalize(earlier, dim=1).T).abs().max() > 1e-2
    straight = torch.linalg.qr(earlier.T).Q.T
    assert (orthonormal_rows(4, earlier=straight, legacy_gram_schmidt=True) @ straight.T).abs().max() < 1e-14


def test_where_there_is_no_room_left_new_rows_are_orthonormal_among_themselves():
    rows = orthonormal_rows(4, earlier=random(14, 16))
    assert (rows @ rows.T - torch.eye(4)).abs().max() < 1e-14
