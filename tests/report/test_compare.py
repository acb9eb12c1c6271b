"""Whether a difference is real: hand-worked intervals, and intervals that cover as often as they say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import record_factory as factory
from scipy.stats import t as student

from clbench.errors import UsageError
from clbench.metrics.ap import average_precisions, mean_ap
from clbench.metrics.resample import draw_images, resampled_precisions
from clbench.records.rows import group_rows
from clbench.report.compare import resampled, table
from clbench.report.compare.paired import first_place, paired_difference


def test_what_saw_everything_at_once_is_never_first() -> None:
    rows = group_rows([factory.make_record(method, seed=s) for method in factory.METHODS[:3] for s in (0, 1)])
    found = table.compare(rows, baseline="naive", measure="last_map", folders=[], resampler=None)
    chances = {row.name: row.first for row in found}
    assert chances["joint"] is None and found[0].name == "joint"
    assert chances["naive"] is not None and chances["lwf"] is not None
    assert chances["naive"] + chances["lwf"] == pytest.approx(1.0)


def test_a_baseline_of_several_heads_is_the_one_with_the_strategys_own() -> None:
    er = factory.METHODS[4]
    rows = group_rows([factory.make_record(replace(er, head=head)) for head in ("queries", "linear", "csra")])
    own = [row for row in rows if "head" not in row.first.strategy.changed]
    assert [rows[place] for place in table.named(rows, "er")] == own and len(own) == 1
    two = group_rows([factory.make_record(replace(er, fields=(("memory", size),))) for size in (200, 400)])
    assert len(table.named(two, "er")) == 2, "nobody knows which of them is meant"


def test_a_table_names_methods_with_their_settings_and_takes_that_name_and_the_shorter_one_of_figures() -> None:
    rows = group_rows([factory.make_record(method, seed=s) for method in factory.METHODS[1:5:3] for s in (0, 1)])
    for baseline in ("er (memory=1600)", "er"):
        found = table.compare(rows, baseline=baseline, measure="last_map", folders=[], resampler=None)
        assert {row.name for row in found} == {"naive", "er (memory=1600)"}
        assert [row.name for row in found if row.difference is None] == ["er (memory=1600)"]


def test_three_seeds_alone_give_students_interval() -> None:
    found = paired_difference([0.50, 0.54, 0.52], [0.40, 0.41, 0.42])  # differences 0.10, 0.13, 0.10
    error = math.sqrt(0.0003) / math.sqrt(3)
    assert found.mean == pytest.approx(0.11)
    assert found.error_seeds == pytest.approx(error)
    assert found.low == pytest.approx(0.11 - 4.302653 * error)
    assert found.verdict.startswith("better (no score files")


def test_errors_of_seeds_and_images_add_as_variances() -> None:
    draws = 0.1 + 0.03 * np.array([-1.0, 1.0] * 500)
    found = paired_difference([0.50, 0.54, 0.52], [0.40, 0.41, 0.42], images=draws)
    seeds, images = 0.01, float(draws.std(ddof=1))
    total = math.hypot(seeds, images)
    freedom = 2 * (total / seeds) ** 4
    assert found.high == pytest.approx(0.11 + float(student.ppf(0.975, freedom)) * total)
    assert found.verdict == "better"


def test_one_seed_says_that_the_luck_of_training_is_missing() -> None:
    draws = np.array([-0.01, 0.03] * 50)
    found = paired_difference([0.51], [0.50], images=draws)
    assert found.verdict == "no difference can be shown (one seed: the luck of training is not in it)"


def test_one_seed_without_score_files_says_nothing() -> None:
    found = paired_difference([0.51], [0.10])
    assert (found.low, found.high) == (None, None)
    assert "nothing can be said" in found.verdict


def test_the_probability_of_the_first_place_is_shared_by_what_ties() -> None:
    means, none = np.array([0.5, 0.5, 0.1]), np.zeros(3)
    assert first_place(means, none, draws=None, freedom=np.array([2, 2, 2]), seed=0) == pytest.approx([0.5, 0.5, 0.0])


def test_a_method_ahead_on_three_resamples_of_four_is_first_in_three_of_four() -> None:
    draws = np.array([[0.5, 0.4], [0.5, 0.4], [0.4, 0.5], [0.5, 0.4]])
    chances = first_place(draws.mean(axis=0), np.zeros(2), draws=draws, freedom=np.array([1, 1]), seed=0)
    assert chances == pytest.approx([0.75, 0.25])


@pytest.mark.slow
def test_intervals_of_95_per_cent_cover_the_truth_about_as_often() -> None:
    """Two methods that are equally good: other seeds and other test images, drawn anew 300 times."""
    generator = np.random.default_rng(11)
    covered = 0
    for trial in range(300):
        truth = (generator.random((120, 4)) < 0.3).astype(np.int8)
        values, draws = [], []
        for _ in range(2):  # two methods, three seeds each: a shared signal, and noise of each training
            runs = [truth + generator.normal(scale=1.0, size=truth.shape) for _ in range(3)]
            values.append([mean_ap(average_precisions(run, truth)) for run in runs])
            weights = draw_images(len(truth), 120, seed=trial)
            draws.append(np.mean([resampled_precisions(run, truth, weights).mean(axis=1) for run in runs], axis=0))
        found = paired_difference(*values, images=draws[0] - draws[1])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.0 <= found.high
    assert 0.93 <= covered / 300 <= 1.0


def test_a_row_beside_the_baseline_is_scored_again_on_the_same_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, path, truth, tests = factory.make_scored(tmp_path)
    other = factory.make_record(factory.METHODS[4], factory.TINY)
    monkeypatch.setattr(resampled, "other_stream", lambda record, stream: [])
    monkeypatch.setattr(resampled, "tested_places", lambda record, stream: tests)
    drawn = resampled.Resampler(factory.Tested(truth), resamples=200)  # type: ignore[arg-type]
    rows = group_rows([record, other])
    ours = next(row for row in rows if row.first is record)
    told = table.compare([ours], baseline=record.strategy.name, measure="last_map", folders=[tmp_path], resampler=drawn)
    scores = np.load(path.with_suffix("") / record.scores[-1].file)[tests[-1]]
    aps = resampled_precisions(scores, truth[tests[-1]], drawn.weights[tests[-1]])
    assert told[0].error_images == pytest.approx(float(aps.mean(axis=1).std(ddof=1)))
    assert told[0].mean == record.summary["last_map"]
    assert told[0].cells()[4] == "baseline"


def test_a_baseline_that_may_mean_several_rows_names_them() -> None:
    records = [factory.make_record(method, factory.TINY) for method in factory.METHODS]
    rows = group_rows(records)
    with pytest.raises(UsageError, match="no row has this name"):
        table.compare(rows, baseline="eer", measure="last_map", folders=[], resampler=None)


def test_an_unverified_row_is_never_first() -> None:
    records = [factory.make_record(method, factory.TINY) for method in factory.METHODS[:3]]
    rows = group_rows(records)
    told = [row for row in rows if "upper-bound" not in row.marks]
    best = max(told, key=lambda row: row.first.summary["last_map"] or 0.0)
    found = table.compare(
        rows,
        baseline=best.first.strategy.name,
        measure="last_map",
        folders=[],
        resampler=None,
        trust={best.first.content: "unverified"},
    )
    chances = {row.name: row.first for row in found}
    assert chances.pop(best.first.strategy.name) is None
    assert sum(chance for chance in chances.values() if chance is not None) == pytest.approx(1.0)
