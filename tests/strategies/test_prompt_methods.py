"""MULTI-LANE, L2P, DualPrompt and CODA-Prompt: what they train, what stands still, and what records say of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import TRAIN, NoiseSession, begun, trained
from small_transformers import transformer
from tiny_scenarios import finished, planned, scenario

from clbench.errors import UsageError
from clbench.nn.losses import in_columns
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy

SMALL: dict[str, dict[str, Any]] = {
    "multilane": {"selectors": 3, "prompts": 2, "blocks": 2},
    "l2p": {"pool": 4, "length": 2, "top_k": 2},
    "dualprompt": {"length": 2, "shared_length": 2, "shared_blocks": [0], "blocks": [1, 2]},
    "coda": {"components": 2, "length": 2, "blocks": [0, 2]},
}


def built(name: str, **fields: Any) -> Any:
    strategy = load_strategy(catalog.find_strategy(name))(**(SMALL[name] | fields))
    strategy._train = TRAIN
    backbone = transformer()
    torch.manual_seed(1)
    strategy.build(backbone, tuple("abcdefgh"))
    return strategy


def first_session(name: str, **fields: Any) -> Any:
    strategy, session = built(name, **fields), NoiseSession(0, seen=2, new=2)
    begun(strategy, session)
    trained(strategy, session, epochs=1)
    return strategy


def images_of(session: NoiseSession) -> torch.Tensor:
    return torch.cat([batch.images for batch in session.batches()])


@pytest.mark.parametrize("name", sorted(SMALL))
def test_what_stands_still_is_the_same_to_the_bit_after_a_session_with_weight_decay(name: str) -> None:
    strategy, second = first_session(name), NoiseSession(1, seen=5, new=3)
    begun(strategy, second)
    still = [(n, p, p.detach().clone()) for n, p in strategy.named_parameters() if not p.requires_grad]
    moving = [(p, p.detach().clone()) for p in strategy.parameters() if p.requires_grad]
    trained(strategy, second, epochs=1)
    assert all(torch.equal(p, before) for _, p, before in still)
    assert all(not torch.equal(p, before) for p, before in moving)
    named = {n for n, _, _ in still}
    assert {n for n, _ in strategy.net.backbone.named_parameters(prefix="net.backbone")} < named
    assert {"net.head.weight.blocks.0", "net.head.bias.blocks.0"} < named


@pytest.mark.parametrize("name", ["l2p", "dualprompt"])
def test_growing_leaves_what_the_head_is_given_to_the_bit(name: str) -> None:
    strategy, second = first_session(name), NoiseSession(1, seen=4, new=2)
    with torch.no_grad():
        before = strategy.net.features(images_of(second)), strategy.scores(images_of(second))
        begun(strategy, second)
        assert torch.equal(strategy.net.features(images_of(second)), before[0])
        assert torch.allclose(strategy.scores(images_of(second))[:, :2], before[1], atol=1e-6)


@pytest.mark.parametrize("pull", [0.0, 0.5])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_loss_is_that_of_the_sessions_own_columns_and_the_keys_pull(name: str, pull: float) -> None:
    has_keys = name in ("l2p", "dualprompt")
    strategy, second = first_session(name, **({"pull": pull} if has_keys else {})), NoiseSession(1, seen=4, new=2)
    begun(strategy, second)
    strategy.train()
    strategy.net.backbone.eval()
    batch = next(second.batches())
    batch.targets[:, :2] = 1.0  # shown old labels are not this session's
    told: list[torch.Tensor] = []
    if has_keys:
        strategy.net.prompts.near.register_forward_hook(lambda _, __, output: told.append(output))
    logits = strategy.net(batch.images)
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 2:], batch.targets[:, 2:])
    if has_keys:
        wanted = wanted - pull * told[0].mean() / 2
    loss = strategy.loss(batch, logits)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    if name == "multilane":  # the release's mean over all columns, other lanes' logits and targets 0
        masked = torch.cat([torch.zeros(len(logits), 2), logits[:, 2:]], dim=1)
        zeros = in_columns(batch.targets, slice(2, 4)).nan_to_num()
        full = torch.nn.functional.binary_cross_entropy_with_logits(masked, zeros)
        assert full.item() == pytest.approx((2 * loss.item() + 2 * math.log(2)) / 4, rel=1e-6)


def test_old_lanes_are_the_same_to_the_bit_after_later_sessions() -> None:
    strategy, second, third = first_session("multilane"), NoiseSession(1, seen=5, new=3), NoiseSession(2, seen=6, new=1)
    images = images_of(second)

    def lane() -> list[torch.Tensor]:
        own = [strategy.net.selectors[0], strategy.net.prefixes[0], *(t.blocks[0] for t in strategy.net.head.tables())]
        return [part.detach().clone() for part in own]

    first = lane()
    seen = strategy.logits(images).detach()
    for session in (second, third):
        begun(strategy, session)
        trained(strategy, session, epochs=1)
        assert all(torch.equal(now, before) for now, before in zip(lane(), first, strict=True))
        now = strategy.logits(images).detach()
        assert torch.equal(now[:, : seen.shape[1]], seen)
        seen = now
    assert seen.shape[1] == 6


def test_a_lane_trained_alone_is_the_lane_of_the_stream() -> None:
    streamed, second = first_session("multilane"), NoiseSession(1, seen=4, new=2)
    begun(streamed, second)
    alone, same = built("multilane"), NoiseSession(1, seen=2, new=2)
    begun(alone, same)
    own = [streamed.net.selectors[1], streamed.net.prefixes[1], *(t.blocks[1] for t in streamed.net.head.tables())]
    other = [alone.net.selectors[0], alone.net.prefixes[0], *(t.blocks[0] for t in alone.net.head.tables())]
    with torch.no_grad():
        for a, b in zip(other, own, strict=True):
            a.copy_(b)
    trained(streamed, second, epochs=1)
    trained(alone, same, epochs=1)
    # a sum over a batch rounds otherwise where columns of zeros stand between its terms
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(other, own, strict=True))


@pytest.mark.parametrize("name", sorted(SMALL))
def test_labels_of_a_session_in_another_order_score_in_that_order(name: str) -> None:
    scores = []
    for order in ([0, 1, 2], [2, 0, 1]):
        strategy, session = built(name), NoiseSession(0, seen=3, new=3)
        session.targets = session.targets[:, order]
        begun(strategy, session)
        for table in strategy.net.head.tables():
            table.blocks[0].data = table.blocks[0].data[order]
        trained(strategy, session, epochs=1)
        scores.append(strategy.scores(images_of(session)).detach())
    assert torch.allclose(scores[0][:, [2, 0, 1]], scores[1], atol=1e-5)
    assert not torch.allclose(scores[0], scores[1], atol=1e-3)


def test_defects_of_public_code_are_off_and_mark_the_row() -> None:
    marks = {
        "l2p": {"legacy_batchwise": "legacy-batchwise", "legacy_pairs": "legacy-pairs"},
        "dualprompt": {"legacy_batchwise": "legacy-batchwise", "legacy_reshape": "legacy-reshape"},
        "coda": {"legacy_gram_schmidt": "legacy-gram-schmidt"},
    }
    for name, options in marks.items():
        assert built(name).marks() == []
        for option, mark in options.items():
            strategy = first_session(name, **{option: True})
            assert strategy.marks() == [mark]


def test_codas_penalty_is_zero_at_the_start_and_counts_all_rows() -> None:
    strategy = built("coda", orthogonal=1.0)
    begun(strategy, NoiseSession(0, seen=2, new=2))
    with torch.no_grad():
        assert float(strategy.net.prompts.orthogonality()) < 1e-12
        strategy.net.prompts.keys[0][1] *= 2  # block 2's two keys have length 2: ((4 - 1)^2 + (4 - 1)^2) / 4
        assert float(strategy.net.prompts.orthogonality()) == pytest.approx(4.5, rel=1e-5)


def test_prompts_want_a_transformer_its_pictures_and_the_linear_head(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)SmallConvNet has none.*clbench_vit"):
        finished(planned(scenario(tmp_path), "l2p", "train.backbone=clbench_small"), tmp_path)
    with pytest.raises(UsageError, match=r"head 'queries'.*needs one of linear"):
        planned(scenario(tmp_path), "multilane", "head=queries")
    still = {"augment": "none", "freeze": "backbone"}
    with pytest.raises(UsageError, match="works inside the backbone"):
        finished(planned(scenario(tmp_path, train=still), "coda"), tmp_path, features="maps")


def test_records_count_a_lanes_parameters_and_passes(tmp_path: Path) -> None:
    path = scenario(tmp_path, train={"epochs": 1, "batch_size": 32})
    run, record = finished(planned(path, "multilane", "multilane.selectors=5"), tmp_path)
    lane = 96 * (5 + 5 * 2 * 20) + 2 * (96 + 1)
    backbone = sum(p.numel() for p in run.strategy.net.backbone.parameters())
    assert [cost.parameters - backbone for cost in record.costs] == [lane, 2 * lane, 3 * lane]
    assert [cost.trainable for cost in record.costs] == [lane] * 3
    assert [cost.state_bytes for cost in record.costs] == [0] * 3
    assert [cost.score_cost for cost in record.costs] == pytest.approx([1 + t * 6 / 17 for t in (1, 2, 3)])
