"""When images enter a memory, which of their labels go along, and when they come back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from listening import StopAt
from tiny_scenarios import FakeSession, batch_of, built, finished, online, planned, scenario, toy_session

from clbench.method.replay import Replay
from clbench.nn.memory import Memory
from clbench.nn.ocdm import OCDMMemory
from clbench.nn.prs import PRSMemory
from clbench.records.record import read_record
from clbench.train.events import Event, StepEnded, silent
from clbench.train.run import Run, RunOptions, run

REPLAY = ["er", "prs", "ocdm"]


def test_a_stream_of_three_labels_is_sampled_uniformly_over_its_images() -> None:
    # 30 + 20 + 10 images of three sessions, 12 places: every image stays with probability one fifth
    sessions = [
        toy_session(list(range(first, last)), [[-1] * i + [1]] * (last - first), index=i, new=slice(i, i + 1))
        for i, (first, last) in enumerate([(0, 30), (30, 50), (50, 60)])
    ]
    draws = 800
    times = np.zeros(60)
    er = built("er", seen=1, memory=12)
    for seed in range(draws):
        er.buffer = er.make_memory()
        for session in sessions:
            er._seed = (seed, session.index, "end")
            er.end_session(FakeSession(session))
        held = er.buffer.exemplars()
        assert len(set(held.rows.tolist())) == 12
        for row, target in zip(held.rows.tolist(), held.targets.tolist(), strict=True):
            label = 0 if row < 30 else 1 if row < 50 else 2
            assert target == [1 if column == label else -1 for column in range(3)]
        times[held.rows] += 1
    expected = draws / 5
    # chi-square with 59 degrees of freedom and draws that exclude each other: 99.99 % of seeds lie below 110
    assert ((times - expected) ** 2 / expected).sum() < 110
    assert abs(times[:30].sum() / draws - 6) < 0.3 and abs(times[50:].sum() / draws - 2) < 0.2


def test_room_that_a_new_label_brings_goes_to_a_random_part_of_the_session() -> None:
    er = built("er", seen=1, memory=4, per_class=True)
    firsts = set()
    for seed in range(20):
        er.buffer = er.make_memory()
        er._seed = (seed, 0, "end")
        er.end_session(FakeSession(toy_session(list(range(50)), [[1]] * 50)))
        er.end_session(FakeSession(toy_session(list(range(50, 100)), [[-1, 1]] * 50, index=1)))
        held = er.buffer.exemplars().rows
        assert len(held) == 8
        firsts |= set(held[held >= 50].tolist())
    assert len(firsts) > 20


def test_offline_images_enter_after_the_session_and_are_rehearsed_in_the_next() -> None:
    er = built("er", seen=2, memory=5)
    session = FakeSession(toy_session([3, 5], [[1, 0], [-1, 1]]))
    assert len(er.rehearse(session)) == 0
    er.after_step(batch_of([3, 5], [[1, 0], [-1, 1]]), torch.zeros(2, 2))
    assert er.recall(batch_of([3], [[1, 0]])) is None and len(er.buffer) == 0
    er.end_session(session)
    held = er.rehearse(session)
    assert dict(zip(held.rows.tolist(), held.targets.tolist(), strict=True)) == {3: [1, 0], 5: [-1, 1]}


@pytest.mark.parametrize("name", REPLAY)
def test_online_images_enter_after_their_step_and_come_back_beside_the_next(name: str) -> None:
    strategy = built(name, seen=2, online=True, memory=5)
    first = batch_of([3, 5], [[1, 0], [-1, 1]])
    assert len(strategy.recall(first).rows) == 0
    strategy.after_step(first, torch.zeros(2, 2))
    held = strategy.recall(batch_of([7, 8], [[1, -1], [0, 1]]))
    assert dict(zip(held.rows.tolist(), held.targets.tolist(), strict=True)) == {3: [1, 0], 5: [-1, 1]}
    # what came back is no new arrival
    strategy.after_step(batch_of([7, 8, 3], [[1, -1], [0, 1], [1, 0]], replayed=1), torch.zeros(3, 2))
    assert strategy.buffer.met == 4 and sorted(strategy.buffer.exemplars().rows.tolist()) == [3, 5, 7, 8]
    assert strategy.rehearse(FakeSession(toy_session([0], [[0, 0]]), online=True)) is None
    strategy.end_session(FakeSession(toy_session([9], [[1, 1]]), online=True))
    assert 9 not in strategy.buffer.exemplars().rows


def test_as_many_come_back_as_came_in_unless_the_field_says_otherwise() -> None:
    rows = list(range(20))
    for field, expected in [(0, 4), (7, 7), (50, 20)]:
        er = built("er", seen=1, online=True, memory=20, replay_batch=field)
        er.after_step(batch_of(rows, [[1]] * 20), torch.zeros(20, 1))
        held = er.recall(batch_of([30, 31, 32, 33], [[1]] * 4))
        assert len(held.rows) == expected and len(set(held.rows.tolist())) == expected


def test_the_draw_beside_a_batch_depends_on_its_step() -> None:
    er = built("er", seen=1, online=True, memory=20)
    er.after_step(batch_of(list(range(20)), [[1]] * 20), torch.zeros(20, 1))
    draws = []
    for step in (1, 2, 1):
        er._seed = (0, 0, step)
        draws.append(er.recall(batch_of([30, 31], [[1]] * 2)).rows.tolist())
    assert draws[0] == draws[2] != draws[1]


@pytest.mark.parametrize(("name", "kind"), [("prs", PRSMemory), ("ocdm", OCDMMemory)])
def test_prs_and_ocdm_decide_as_their_memories_do(name: str, kind: type[Memory]) -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((120, 4)) < 0.3).astype(np.int8)
    strategy = built(name, seen=4, online=True, memory=15, rho=0.5)
    memory = kind(15, rho=0.5)
    for step, first in enumerate(range(0, 120, 10)):
        rows = list(range(first, first + 10))
        strategy._seed = (4, 0, step)
        strategy.after_step(batch_of(rows, targets[rows].tolist()), torch.zeros(10, 4))
        memory.add(rows, targets[rows], rng=strategy.rng("memory"))
    ours, theirs = strategy.buffer.exemplars(), memory.exemplars()
    assert ours.rows.tolist() == theirs.rows.tolist() and np.array_equal(ours.targets, theirs.targets)
    assert ours.rows.tolist() != list(range(15))


def test_offline_prs_and_ocdm_see_each_image_once_in_random_order() -> None:
    rows = list(range(40))
    for name in ("prs", "ocdm"):
        strategy = built(name, seen=2, memory=6)
        strategy.end_session(FakeSession(toy_session(rows, [[1, 0], [0, 1]] * 20)))
        assert strategy.buffer.met == 40 and len(strategy.buffer) == 6
        assert strategy.buffer.exemplars().rows.max() > 10


@pytest.mark.parametrize("policy", ["class-balanced", "greedy"])
def test_balanced_policies_keep_rare_labels(policy: str) -> None:
    er = built("er", seen=2, memory=8, policy=policy)
    targets = [[1, 0]] * 60 + [[0, 1]] * 4
    er.end_session(FakeSession(toy_session(list(range(64)), targets)))
    assert er.buffer.exemplars().targets.sum(axis=0).tolist() == [4, 4]


def test_herded_exemplars_are_those_of_iCaRL(tmp_path: Path) -> None:
    sets = ("er.policy=herding", "er.memory=3", "er.per_class=true")
    run, record = finished(planned(scenario(tmp_path), "er", *sets), tmp_path)
    held = run.strategy.buffer
    assert 0 < len(held) <= 3 * 6
    # the sets of the last session's labels were chosen with the network as it is now
    from clbench.nn.backbones.features import pooled_features
    from clbench.nn.rehearsal.selection import herding

    session = run.stream.sessions[-1]
    run.strategy.eval()
    for column in (4, 5):
        members = session.rows[session.targets[:, column] == 1]
        features = pooled_features(run.strategy.net, [run.source.read(members)])
        chosen = members[herding(features.numpy(), 3)].tolist()
        assert held._sets[column] == chosen
    assert [cost.stored_images for cost in record.costs] == sorted(cost.stored_images for cost in record.costs)


# ---------------------------------------------------------------------- hidden labels


def test_an_exemplar_keeps_what_was_visible_and_the_leak_is_a_named_option(tmp_path: Path) -> None:
    shown = {}
    for labels in ("honest", "legacy_krt"):
        sets = (f"er.exemplar_labels={labels}", "er.memory=40")
        run, record = finished(planned(scenario(tmp_path), "er", *sets), tmp_path / labels)
        shown[labels] = run.exemplars
        assert ("leak" in record.marks) == (labels == "legacy_krt")
    truth = run.stream.truth(shown["honest"].rows)
    visible_then = shown["honest"].targets
    assert np.array_equal(shown["honest"].rows, shown["legacy_krt"].rows)
    assert (visible_then[:, 4:] == -1).all(), "exemplars were stored before the last session's labels existed"
    leaked = shown["legacy_krt"].targets
    # from the first known label on everything is the truth; what came before stays hidden
    for before, after, real in zip(visible_then, leaked, truth, strict=True):
        first = int((before >= 0).argmax())
        assert (after[:first] == -1).all() and (after[first:] == real[first:]).all()
    assert (visible_then[:, 0] == -1).any() and (visible_then[:, 2] == -1).any(), "exemplars of both sessions"


def test_nothing_is_revealed_to_a_strategy_without_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reveal(self: Replay, rows: np.ndarray, truth: np.ndarray) -> None:
        raise AssertionError("hidden labels were handed out")

    monkeypatch.setattr(Replay, "reveal", reveal)
    for name in REPLAY:
        finished(planned(scenario(tmp_path), name), tmp_path / name)


def test_a_leak_stays_in_state_and_record_when_the_strategy_denies_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = planned(scenario(tmp_path), "er", "er.exemplar_labels=legacy_krt", "er.memory=4")
    options = RunOptions(results=tmp_path / "results", device="cpu", save_steps=1)
    with pytest.raises(KeyboardInterrupt):
        run(wanted, options, watch=StopAt(1, 1))
    monkeypatch.setattr(type(wanted.new_strategy()), "marks", lambda self: [])
    assert "leak" in read_record(run(wanted, options)).marks
    assert "leak" not in read_record(run(wanted, dataclasses.replace(options, resume=False))).marks


# ---------------------------------------------------------------------- in a run


@pytest.mark.parametrize("name", REPLAY)
def test_an_online_run_never_holds_more_than_its_budget_and_sees_each_image_once(name: str, tmp_path: Path) -> None:
    wanted = planned(online(tmp_path), name, f"{name}.memory=7")
    run = Run(wanted, RunOptions(results=tmp_path, device="cpu"), watch=silent)
    held, fresh = [], []

    def look(event: Event) -> None:
        if not isinstance(event, StepEnded):
            return
        batch = run.loop.batch
        assert batch is not None
        held.append(len(run.strategy.buffer))
        fresh.extend(batch.rows[~batch.replayed].tolist())
        replayed = batch.rows[batch.replayed]
        assert len(replayed) <= int((~batch.replayed).sum())

    run.watch = look
    run.carry_out()
    assert max(held) == 7
    assert sorted(fresh) == sorted(np.concatenate([session.rows for session in run.stream.sessions]).tolist())
