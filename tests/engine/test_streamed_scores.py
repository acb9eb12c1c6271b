"""Scores that are too many to be held: AP from histograms, within a bound that is printed and in the record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_scenarios import finished, planned, scenario

from clbench.metrics import of_parts
from clbench.metrics.ap import average_precisions
from clbench.metrics.streamed import StreamedAP
from clbench.records.record import read_record
from clbench.records.verify.rescore import rescore_record
from clbench.train.events import Message
from clbench.train.run import Run, RunOptions

SCORES = st.sampled_from([-40.0, -18.0, -1.0, -0.99, 0.0, 0.0001, 0.5, 17.9, 30.0, float("inf"), float("-inf")])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(SCORES, st.sampled_from([1, 0, -1])), max_size=60),
    cut=st.integers(0, 60),
    bins=st.sampled_from([1, 4, 64, 4096]),
)
def test_the_exact_value_lies_within_the_bounds_in_whatever_parts_scores_come(
    rows: list[tuple[float, int]], cut: int, bins: int
) -> None:
    scores = np.array([[score, score] for score, _ in rows], dtype=np.float32).reshape(-1, 2)
    truth = np.array([[hit, -1] for _, hit in rows], dtype=np.int8).reshape(-1, 2)
    right = average_precisions(scores, truth)
    state = StreamedAP(2, bins=bins)
    for part in (slice(0, cut), slice(cut, None)):
        state.add(scores[part], truth[part])
    low, middle, high = state.values()
    assert np.isnan(right).tolist() == np.isnan(middle).tolist() and np.isnan(middle[1])
    if not np.isnan(right[0]):
        assert low[0] - 1e-12 <= right[0] <= high[0] + 1e-12 and low[0] - 1e-12 <= middle[0] <= high[0] + 1e-12


def test_rows_that_wait_are_counted_like_those_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.standard_normal((70, 3)).astype(np.float32), rng.choice([1, 0, -1], size=(70, 3))
    found = []
    for waiting in (1, 3 * 32, 1 << 20):
        monkeypatch.setattr("clbench.metrics.streamed.WAITING", waiting)
        state = StreamedAP(3, bins=1024)
        for first in range(0, 70, 20):
            state.add(scores[first : first + 20], truth[first : first + 20].astype(np.int8))
        found.append(state.values())
        assert state.all.sum(axis=1).tolist() == (truth >= 0).sum(axis=0).tolist()
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_a_run_that_streams_its_scores_says_how_far_its_numbers_may_be_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(scenario(tmp_path), "er", "er.memory=10")
    _, exact = finished(plan, tmp_path / "exact")
    monkeypatch.setattr(of_parts, "HELD", 100)
    told: list[str] = []
    run = Run(
        planned(scenario(tmp_path), "er", "er.memory=10"),
        RunOptions(results=tmp_path / "streamed", device="cpu"),
        watch=lambda event: told.append(event.text) if isinstance(event, Message) else None,
    )
    path = run.carry_out()
    record = read_record(path)
    assert record.counts == exact.counts and record.costs == exact.costs and record.scores == []
    assert "streamed-ap" in record.marks and "streamed-ap" not in exact.marks
    bound = float(record.notes["ap"].split()[-6])
    assert 0 < bound < 1 and record.notes["ap"].endswith(f"within {bound:.2f} points of the exact one")
    apart = [
        abs(one - other)
        for part in ("growing", "fixed")
        for rows in zip(getattr(record.ap, part), getattr(exact.ap, part), strict=True)
        for one, other in zip(*rows, strict=True)
        if one is not None and other is not None
    ]
    assert len(apart) > 12 and 100 * max(apart) <= bound
    assert sum("AP from histograms, each within" in text for text in told) == 3
    assert sum(text.endswith("0.0 GB of scores not kept (--keep-scores keeps them)") for text in told) == 3
    assert not list(path.with_suffix("").glob("scores-*"))
    (finding,) = rescore_record(
        record, folder=path.with_suffix(""), truth=run.stream.truth(run.stream.test_rows), tests=[[], [], []]
    )
    assert "scores of sessions 0 to 2 were too many and not kept" in str(finding)


def test_parts_of_a_matrix_give_the_measures_of_the_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = planned(scenario(tmp_path), "naive", "train.epochs=1")
    _, whole = finished(plan, tmp_path / "a")
    monkeypatch.setattr("clbench.metrics.of_session.PART", 7)
    _, parts = finished(planned(scenario(tmp_path), "naive", "train.epochs=1"), tmp_path / "b")
    assert (whole.ap, whole.counts, whole.scores) == (parts.ap, parts.counts, parts.scores)
