"""KRT, CSC, AGCN and KBK: their losses by hand, what stays fixed, and their runs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from small_training import NoiseSession, begun, built, trained
from tiny_scenarios import finished, planned, scenario

from clbench.errors import UsageError

SMALL = {
    "krt": {"head_options": {"d": 16, "heads": 2}},
    "csc": {"head_options": {"d": 8}},
    "agcn": {"head_options": {"vectors": 8, "hidden": 16}},
    "kbk": {"head_options": {"d": 16, "heads": 2}},
}


def in_second_session(name: str, *, train_first: bool = True, **fields: object):
    """Return the strategy in its second session, that session, and one of its batches."""
    strategy = built(name, **(SMALL[name] | fields))
    first, second = NoiseSession(0, seen=2, new=2), NoiseSession(1, seen=4, new=2)
    begun(strategy, first)
    if train_first:
        trained(strategy, first, epochs=1)
    with torch.no_grad():
        strategy.end_session(first)
    begun(strategy, second)
    strategy.train()
    strategy.net.backbone.eval()
    return strategy, second, next(second.batches())


def bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)


# ---------------------------------------------------------------------- KRT


def test_krts_token_loss_is_zero_at_the_start_of_a_session_and_grows_with_drift():
    krt, _, batch = in_second_session("krt", rule="fixed", below="keep", threshold=1.1)
    logits = krt.net(batch.images)
    assert krt.growth == pytest.approx(math.sqrt(4 / 2))
    assert krt.loss(batch, logits).item() == pytest.approx(bce(logits[:, 2:], batch.targets[:, 2:]).item(), abs=1e-5)
    krt.net.head.transfer.data += torch.randn(16, generator=torch.Generator().manual_seed(0))
    logits = krt.net(batch.images)
    now, before = (net.head.session_tokens(net.maps(batch.images))[:, :1] for net in (krt.net, krt.teacher))
    drift = 1 - torch.cosine_similarity(now.flatten(1), before.flatten(1)).mean()
    wanted = bce(logits[:, 2:], batch.targets[:, 2:]) + 1.5 * math.sqrt(2) * drift / 2
    assert krt.loss(batch, logits).item() == pytest.approx(wanted.item(), rel=1e-4)


def test_krt_keeps_tokens_and_classifiers_of_earlier_sessions_to_the_bit_while_old_logits_drift():
    krt, second, batch = in_second_session("krt")
    head = krt.net.head
    before = [(p, p.clone()) for p in head.old_parameters()]
    logits = krt.net(batch.images).detach()
    trained(krt, second, epochs=1)
    assert len(before) == 5 and all(torch.equal(p, value) for p, value in before)
    assert float((krt.net(batch.images).detach()[:, :2] - logits[:, :2]).abs().max()) > 1e-3


def test_krt_says_that_it_was_told_the_density_and_refuses_heads_without_tokens():
    assert built("krt", **SMALL["krt"]).marks() == ["known-density"]
    assert built("krt", rule="fixed", **SMALL["krt"]).marks() == []
    with pytest.raises(ValueError, match="needs one of ica"):
        built("krt", head="linear")


# ---------------------------------------------------------------------- CSC


def test_csc_without_its_terms_is_the_loss_on_the_new_labels():
    csc, _, batch = in_second_session("csc", alpha=1.0, entropy=0.0)
    logits = csc.net(batch.images)
    assert csc.loss(batch, logits).item() == pytest.approx(bce(logits[:, 2:], batch.targets[:, 2:]).item(), rel=1e-5)


def test_cscs_loss_by_hand_and_its_teacher_is_detached():
    csc, _, batch = in_second_session("csc")
    logits = csc.net(batch.images)
    taught = csc.teacher(batch.images)
    p = logits.sigmoid()
    entropy = (p * (p + 1e-5).log()).sum(1).mean()
    wanted = (
        0.5 * bce(logits[:, 2:], batch.targets[:, 2:]) + 0.5 * bce(logits[:, :2], taught.sigmoid()) + 0.04 * entropy
    )
    loss = csc.loss(batch, logits)
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    loss.backward()
    assert all(p.grad is None for p in csc.teacher.parameters())


def test_cscs_entropy_alone_draws_every_label_to_one_over_e():
    csc, _, batch = in_second_session("csc", alpha=0.0, entropy=1.0)
    csc.old = 0  # nothing is distilled
    logits = torch.zeros(len(batch.rows), 4, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        csc.loss(batch, logits).backward()
        optimiser.step()
    assert torch.allclose(logits.sigmoid(), torch.full_like(logits, 1 / math.e), atol=1e-3)


# ---------------------------------------------------------------------- AGCN


def test_agcns_loss_by_hand_and_its_relation_term_is_zero_while_nodes_stand():
    agcn, _, batch = in_second_session("agcn", relation_weight=10.0)
    agcn.net.head.set_graph(torch.eye(4))
    agcn.teacher.head.set_graph(torch.eye(2))
    logits, taught = agcn.net(batch.images), agcn.teacher(batch.images)
    wanted = 0.07 * bce(logits[:, 2:], batch.targets[:, 2:]) + 0.93 * bce(logits[:, :2], taught.sigmoid())
    assert agcn.loss(batch, logits).item() == pytest.approx(wanted.item(), rel=1e-5)
    agcn.net.head.second.weight.data *= 1.1
    logits = agcn.net(batch.images)
    moved = (agcn.net.head.rows[:2] - agcn.teacher.head.rows[:2]).square().mean()
    wanted = 0.07 * bce(logits[:, 2:], batch.targets[:, 2:]) + 0.93 * bce(logits[:, :2], taught.sigmoid()) + 10 * moved
    assert agcn.loss(batch, logits).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_agcns_matrix_is_what_the_sessions_showed_and_is_counted(tmp_path: Path):
    small = ("agcn.head_options={vectors: 8, hidden: 16}", "agcn.legacy_half=true", "agcn.beliefs=softmax")
    run, record = finished(planned(scenario(tmp_path), "agcn", *small), tmp_path)
    matrix, last = run.strategy.matrix, run.stream.sessions[-1]
    y = torch.from_numpy(last.targets[:, last.new] == 1).double()
    wanted = (y.T @ y / y.sum(0)).fill_diagonal_(0)
    assert torch.allclose(matrix[4:, 4:].double(), wanted, atol=1e-6)
    assert "legacy-half" in record.marks
    teachers = sum(v.numel() * v.element_size() for v in run.strategy.teacher.state_dict().values())
    assert record.costs[0].state_bytes == 4 * 2**2
    assert record.costs[2].state_bytes == 4 * 6**2 + teachers


# ---------------------------------------------------------------------- KBK


def test_kbk_without_its_parts_is_the_loss_on_what_is_known():
    plain = {"unknown_class": 0.0, "balance": False, "hidden": "ignore"}
    kbk, _, batch = in_second_session("kbk", **plain)
    logits = kbk.net(batch.images)
    assert kbk.loss(batch, logits).item() == pytest.approx(bce(logits[:, 2:], batch.targets[:, 2:]).item(), rel=1e-5)
    kbk, _, batch = in_second_session("kbk", **(plain | {"hidden": "negative"}))
    logits = kbk.net(batch.images)
    assert kbk.loss(batch, logits).item() == pytest.approx(bce(logits, batch.targets.nan_to_num()).item(), rel=1e-5)


def test_kbk_completes_by_recall_and_keeps_old_tokens_and_rows_to_the_bit():
    kbk, second, batch = in_second_session("kbk")
    present = kbk.thresholds.present(kbk.teacher(batch.images).sigmoid())
    assert torch.equal(kbk.completed(batch.targets, batch.images)[:, :2], present.float())
    before = [(p, p.clone()) for p in kbk.net.head.old_parameters()]
    trained(kbk, second, epochs=1)
    assert len(before) == 3 and all(torch.equal(p, value) for p, value in before)
    assert kbk.net(batch.images).shape == (8, 4)


@pytest.mark.parametrize(
    "part", ["unknown_class=0", "balance=false", "hidden=ignore", "entropy=false", "similar=false"]
)
def test_every_part_of_kbk_can_be_left_out_in_a_run(part: str, tmp_path: Path):
    sets = (f"kbk.{part}", "kbk.head_options={d: 16, heads: 2}")
    _, record = finished(planned(scenario(tmp_path, train={"epochs": 1}), "kbk", *sets), tmp_path)
    assert record.strategy.changed


@pytest.mark.parametrize("name", ["kbk", "krt", "agcn"])
def test_heads_that_make_no_sense_are_refused_in_words(name: str, tmp_path: Path):
    with pytest.raises(UsageError, match=r"head 'maxpool' .* needs one of"):
        finished(planned(scenario(tmp_path), name, "head=maxpool"), tmp_path)
