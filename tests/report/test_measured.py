"""Columns that no record holds: from score files, and from beside joint or plain training."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import record_factory as factory

from clbench import metrics
from clbench.errors import DataError
from clbench.records.collection import Collection
from clbench.records.record import Record
from clbench.records.rows import group_rows
from clbench.report.compare import measured as module
from clbench.report.compare.measured import MEASURES, measured, numbers_besides
from clbench.report.formats.markdown import markdown
from clbench.report.table.columns import MEASURED
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.references import AGAINST, against_references

JOINT, NAIVE, LWF, _, ER, *_ = factory.METHODS
LAYOUT = factory.Layout("hand", "Two sessions of a label", (1, 1), (9, 9), (30, 40), "coco2014")


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Record, Any, Any]:
    """A record with score files below tmp_path, its last scores and their truth."""
    record, path, truth, tests = factory.make_scored(tmp_path)
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "stream_of", lambda record, data: factory.Tested(truth))
    monkeypatch.setattr(module, "other_stream", lambda record, stream: [])
    monkeypatch.setattr(module, "tested_places", lambda record, stream: tests)
    scores = np.load(path.with_suffix("") / record.scores[-1].file)[tests[-1]]
    return record, scores, truth[tests[-1]]


def test_measures_are_those_of_the_last_scores_on_the_growing_test_set(scored: Any, tmp_path: Path) -> None:
    record, scores, truth = scored
    found = measured(group_rows([record]), list(MEASURES), folders=[tmp_path])
    told = {key: values[record.content] for key, values in found.items()}
    assert told["auroc"] == metrics.auroc(scores, truth)
    assert told["error_images"] == metrics.map_error(scores, truth)
    # scores are logits, where probability 0.5 is 0
    assert told["hamming_loss"] == metrics.hamming_loss(scores, truth, threshold=0.0)
    assert told["mean_accuracy"] == metrics.mean_accuracy(scores, truth, threshold=0.0)
    assert told["precision_at_1"] == pytest.approx(1 - told["one_error"])
    assert set(told) | set(AGAINST) == set(MEASURED)


def test_what_was_measured_once_is_not_measured_again(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, *_ = scored
    first = measured(group_rows([record]), ["auroc"], folders=[tmp_path])
    monkeypatch.setattr(module, "stream_of", lambda record, data: pytest.fail("opened again"))
    assert measured(group_rows([record]), ["auroc"], folders=[tmp_path]) == first


def test_a_value_that_changed_since_it_was_measured_is_measured_again(scored: Any, tmp_path: Path) -> None:
    record, *_ = scored
    first = measured(group_rows([record]), ["auroc"], folders=[tmp_path])
    (kept,) = (tmp_path / "cache" / "measures").iterdir()
    whole = kept.read_bytes()
    for bit in range(0, 8 * len(whole), 5):  # a fifth of them, every bit of a byte in turn
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        kept.write_bytes(changed)
        assert measured(group_rows([record]), ["auroc"], folders=[tmp_path]) == first


def test_the_error_from_the_test_images_stands_beside_the_last_map(scored: Any, tmp_path: Path) -> None:
    record, scores, truth = scored
    besides = numbers_besides(Collection(group_rows([record])), folders=[tmp_path])
    board = leaderboard([record], measured=besides, published=False)
    text = markdown(board)
    assert "| Avg. mAP | Last mAP | ± images |" in text
    assert "standard error of Last mAP" in text
    assert board.text(board.tables[0].rows[0], "error_images") == f"{100 * metrics.map_error(scores, truth):.1f}"


def test_without_the_data_set_a_table_is_silent_and_an_asked_measure_warns(
    scored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def absent(record: Record, data: Path | None) -> None:
        raise DataError("no data set here")

    record, *_ = scored
    monkeypatch.setattr(module, "stream_of", absent)
    with caplog.at_level(logging.WARNING):
        assert numbers_besides(Collection(group_rows([record])), folders=[tmp_path]) == {}
        assert caplog.text == ""
        numbers_besides(Collection(group_rows([record])), ["auroc"], folders=[tmp_path])
    assert "no data set here" in caplog.text


def with_fixed(method: factory.Method, fixed: list[list[float | None]], *, seed: int = 0) -> Record:
    record = factory.make_record(method, LAYOUT, seed=seed)
    ap = msgspec.structs.replace(record.ap, growing=fixed, fixed=fixed)
    return factory.sealed(factory.sections_of(record) | {"ap": ap})


def test_transfer_and_shares_of_forgetting_worked_by_hand() -> None:
    joint = with_fixed(JOINT, [[0.8, 0.9]])
    naive = [with_fixed(NAIVE, [[0.7, None], [0.1, 0.5]]), with_fixed(NAIVE, [[0.5, None], [0.1, 0.7]], seed=1)]
    er = with_fixed(ER, [[0.6, None], [0.4, 0.7]])
    rows = group_rows([joint, *naive, er])
    found = against_references([rows], trust={record.content: "consistent" for row in rows for record in row.records})
    # plain training on a session alone: 0.6 for the first label, 0.6 for the second
    assert found["forward_transfer"][er.content] == pytest.approx(0.7 - 0.6)
    assert found["forgetting_over_joint"][er.content] == pytest.approx((0.6 - 0.4) / 0.8)
    assert found["forgetting_over_single"][er.content] == pytest.approx((0.6 - 0.4) / 0.6)
    assert joint.content not in found["forward_transfer"]


def test_another_recipe_is_no_reference() -> None:
    er = with_fixed(ER, [[0.6, None], [0.4, 0.7]])
    sections = factory.sections_of(with_fixed(NAIVE, [[0.7, None], [0.1, 0.5]]))
    longer = factory.sealed(sections | {"train": sections["train"] | {"epochs": 99}})
    other = with_fixed(replace(NAIVE, fields=(("unknown", "ignore"),)), [[0.7, None], [0.1, 0.5]])
    for reference in (longer, other):
        rows = group_rows([er, reference])
        assert not against_references([rows], trust={})["forward_transfer"].get(er.content)
