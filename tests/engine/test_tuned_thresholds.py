"""A run of a scenario that holds out validation images chooses thresholds on them, and leaves every other number be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tiny_scenarios import finished, planned, scenario

from clbench.metrics.thresholds import best_threshold, best_thresholds
from clbench.records.record import Record, to_plain
from clbench.records.verify.consistency import check_record
from clbench.records.verify.rescore import rescore_record
from clbench.train.scoring import tuned

Ran = tuple[Any, Record]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("tuned")
    path = scenario(folder, train={"epochs": 1}, validation={"fraction": 0.3, "seed": 0})
    return finished(planned(path, "er", "er.memory=12"), folder / "results")


def places(run: Any, session: int) -> Any:
    return np.isin(run.stream.test_rows, run.stream.sessions[session].test_rows)


def test_counts_are_those_of_the_thresholds_on_the_growing_test_set(ran: Ran):
    run, record = ran
    truth = run.stream.truth(run.stream.test_rows)
    for session, learned in enumerate((2, 4, 6)):
        logits = np.load(run.work / record.scores[session].file).astype(np.float64)[places(run, session), :learned]
        said, known = 1 / (1 + np.exp(-logits)), truth[places(run, session), :learned]
        for rule, limits in (
            ("tuned", record.thresholds.each[session][:learned]),
            ("tuned-one", [record.thresholds.one[session]] * learned),
        ):
            tp = ((said > limits) & (known == 1)).sum(axis=0).tolist()
            fp = ((said > limits) & (known == 0)).sum(axis=0).tolist()
            told = record.counts[rule]
            assert (told.tp[session][:learned], told.fp[session][:learned]) == (tp, fp)
        assert record.thresholds.each[session][learned:] == [None] * (6 - learned)
    assert record.summary["of1@tuned-one"] == pytest.approx(
        2 * sum(told.tp[-1]) / (2 * sum(told.tp[-1]) + sum(told.fp[-1]) + sum(told.fn[-1]))
    )


def test_thresholds_come_from_the_validation_images_alone(ran: Ran):
    run, record = ran
    rows = run.stream.val_rows
    said = run.strategy.eval().scores(run.source.read(rows)).detach().numpy()
    truth = run.stream.truth(rows)
    assert record.thresholds.each[-1] == pytest.approx(best_thresholds(said, truth), abs=1e-5)
    assert record.thresholds.one[-1] == pytest.approx(best_threshold(said, truth), abs=1e-5)
    assert record.thresholds.images == [int((truth[:, :n] == 1).any(axis=1).sum()) for n in (2, 4, 6)]


def test_every_other_number_is_what_it_is_without_them(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tuned, "tunes", lambda stream: False)
    run, record = ran
    _, plain = finished(planned(str(run.plan.scenario_path), "er", "er.memory=12"), tmp_path)
    assert plain.thresholds is msgspec.UNSET and set(plain.counts) == {"0.5", "0.8", "top3"}
    assert plain.ap == record.ap and [s.sha256 for s in plain.scores] == [s.sha256 for s in record.scores]
    assert all(record.counts[rule] == part for rule, part in plain.counts.items())
    assert plain.summary.items() < record.summary.items()


def test_a_scenario_that_holds_out_nothing_has_no_thresholds_in_its_record(tmp_path: Path):
    run, record = finished(planned(scenario(tmp_path, train={"epochs": 1}), "naive"), tmp_path / "results")
    assert record.thresholds is msgspec.UNSET and "thresholds" not in to_plain(record)
    assert b'"thresholds"' not in run.record.read_bytes()
    assert not [name for name in record.summary if "tuned" in name]


def test_a_record_with_thresholds_is_re_scored_and_a_moved_threshold_is_found(ran: Ran):
    run, record = ran
    truth = run.stream.truth(run.stream.test_rows)
    tests = [np.flatnonzero(places(run, session)) for session in range(3)]
    assert check_record(record) == []
    assert rescore_record(record, folder=run.work, truth=truth, tests=tests) == []
    one = [*record.thresholds.one[:-1], 0.0]
    lie = msgspec.structs.replace(record, thresholds=msgspec.structs.replace(record.thresholds, one=one))
    fields = {finding.field.split("]")[0] for finding in rescore_record(lie, folder=run.work, truth=truth, tests=tests)}
    assert fields == {"counts[tuned-one"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda plain: plain.pop("thresholds"), "thresholds"),
        (lambda plain: plain["counts"].pop("tuned"), "counts[tuned]"),
        (lambda plain: plain["thresholds"]["one"].pop(), "thresholds.one"),
        (lambda plain: plain["thresholds"]["each"][0].__setitem__(5, 0.5), "thresholds.each[0][5]"),
        (lambda plain: plain["thresholds"]["each"][0].__setitem__(0, None), "thresholds.each[0][0]"),
        (lambda plain: plain["thresholds"]["each"].pop(), "thresholds.each"),
    ],
)
def test_thresholds_that_do_not_fit_their_record_are_named(ran: Ran, change: Callable[[Any], Any], field: str):
    plain = to_plain(ran[1])
    change(plain)
    wrong = msgspec.json.decode(json.dumps(plain), type=Record)
    assert field in {finding.field for finding in check_record(wrong)}
