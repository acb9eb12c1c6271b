"""BiC: two numbers per session, fitted to images that never trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_scenarios import PicturedSession, batch_of, built, finished, planned, scenario, toy_session

from clbench.metrics.ap import average_precisions
from clbench.nn.rehearsal.session_bias import SessionBias

RNG = np.random.default_rng(3)


def test_a_new_pair_is_the_identity_and_leaves_the_old_logits_alone_to_the_bit():
    bias, logits = SessionBias(), torch.randn(7, 5)
    bias.grow(2)
    bias.pairs.blocks[0].data[:] = torch.tensor([[0.3, -0.2]])
    before = bias(logits[:, :2])
    bias.grow(3)
    after = bias(logits)
    assert torch.equal(after[:, :2], before) and torch.equal(after[:, 2:], logits[:, 2:])


def test_the_fit_moves_the_newest_pair_alone_to_where_both_slopes_vanish():
    bias = SessionBias()
    bias.grow(2)
    bias.grow(3)
    z = torch.from_numpy(RNG.standard_normal((200, 5))).float()
    y = (torch.rand(200, 5, generator=torch.Generator().manual_seed(1)) < (2 * z - 1).sigmoid()).float()
    y[:50, 3] = torch.nan
    y[:, :2] = torch.nan
    bias.fit(z, y)
    assert torch.equal(bias.pairs.blocks[0], torch.zeros(1, 2))
    assert [p.requires_grad for p in bias.parameters()] == [False, False]
    pair = bias.pairs.blocks[1][0].double()
    part, wanted = z[:, 2:].double(), y[:, 2:].double()
    known = ~wanted.isnan()
    error = torch.where(known, (part * pair[0].exp() + pair[1]).sigmoid() - wanted.nan_to_num(), 0.0)
    assert abs(float(error.sum())) < 1e-2 and abs(float((error * part).sum())) < 1e-2
    assert float(pair[0].exp()) == pytest.approx(2, rel=0.3) and float(pair[1]) == pytest.approx(-1, rel=0.3)


def test_no_average_precision_sees_the_correction_though_decisions_do():
    bias, z = SessionBias(), torch.from_numpy(RNG.standard_normal((60, 4)))
    bias.double()
    bias.grow(2)
    bias.grow(2)
    truth = (RNG.random((60, 4)) < 0.4).astype(np.int8)
    bias.pairs.blocks[1].data[:] = torch.tensor([[-0.7, -3.0]])
    corrected = bias(z)
    plain, moved = (average_precisions(values.detach().numpy(), truth) for values in (z, corrected))
    assert np.array_equal(plain, moved)
    assert (z[:, 2:] > 0).sum() > 0 and (corrected[:, 2:] > 0).sum() == 0


def test_without_both_kinds_of_known_labels_the_pair_stays_the_identity():
    bias = SessionBias()
    bias.grow(1)
    bias.fit(torch.randn(4, 1), torch.tensor([[1.0], [1.0], [torch.nan], [torch.nan]]))
    assert torch.equal(bias.pairs(), torch.zeros(1, 2))


def test_distillation_and_loss_share_by_how_many_labels_are_old_and_held_out_images_meet_neither():
    bic = built("bic", seen=1, memory=20)
    live = PicturedSession(toy_session([7, 8], [[-1, 1], [-1, 0]], index=1, new=slice(1, 2)), [51, 204])
    bic.begin_session(live)
    batch = batch_of([7, 8], [[-1, 1], [-1, 0]], levels=[51, 204])
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.4]])
    old = bic.teacher(batch.images)
    soft = (old / 2).sigmoid()
    distilled = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, :1] / 2, soft) * 4
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 1], torch.tensor([1.0, 0.0]))
    assert bic.loss(batch, logits).item() == pytest.approx(0.5 * (loss + distilled).item(), rel=1e-5)
    bic.held.add([8], [[-1, 0]], rng=np.random.default_rng(0))
    alone = batch_of([7], [[-1, 1]], levels=[51])
    assert bic.loss(batch, logits).item() == pytest.approx(bic.loss(alone, logits[:1]).item(), rel=1e-6)


def test_in_a_run_held_out_images_are_counted_and_never_rehearsed(tmp_path: Path):
    rehearsed: list[set[int]] = []

    def note(run: object) -> None:
        strategy = run.strategy  # type: ignore[attr-defined]
        held = set(strategy.held.exemplars().rows.tolist())
        assert held and not held & set(strategy.buffer.exemplars().rows.tolist())
        rehearsed.append(held)

    run, record = finished(planned(scenario(tmp_path), "bic", "bic.memory=30"), tmp_path, after_first=note)
    assert rehearsed and max(cost.stored_images for cost in record.costs) <= 30
    held = set(run.strategy.held.exemplars().rows.tolist())
    assert not held & set(run.exemplars.rows.tolist())
    assert len(run.strategy.bias.sizes) == 3 and torch.equal(run.strategy.bias.pairs.blocks[0], torch.zeros(1, 2))
