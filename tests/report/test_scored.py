"""CP and CR over the threshold from score files: right numbers where everything is there, silence elsewhere."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_factory as factory

from clbench.errors import UsageError
from clbench.metrics.f1 import counts, cp, cr
from clbench.records.rows import group_rows
from clbench.report.figures import from_scores as scored
from clbench.report.figures.curves import THRESHOLDS


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    record, path, truth, tests = factory.make_scored(tmp_path)
    monkeypatch.setattr(scored, "stream_of", lambda record, data: factory.Tested(truth))
    monkeypatch.setattr(scored, "other_stream", lambda record, stream: [])
    monkeypatch.setattr(scored, "tested_places", lambda record, stream: tests)
    return record, path, truth, tests


def test_the_curves_are_those_of_the_scores_on_the_last_growing_test_set(made: Any, tmp_path: Path) -> None:
    record, path, truth, tests = made
    found = scored.over_thresholds(group_rows([record]), folders=[tmp_path / "none", tmp_path])
    matrix = np.load(path.with_suffix("") / record.scores[-1].file)[tests[-1]]
    for place, threshold in enumerate(THRESHOLDS):
        decided = counts(matrix, truth[tests[-1]], threshold=math.log(threshold / (1 - threshold)))
        assert found["CP"][0].mean[place] == pytest.approx(cp(decided), abs=1e-12)
        assert found["CR"][0].mean[place] == pytest.approx(cr(decided), abs=1e-12)
    half = THRESHOLDS.index(0.5)
    assert found["CP"][0].mean[half] == pytest.approx(record.summary["cp@0.5"], abs=1e-12), "as in the table"
    assert found["CF1"][0].mean[half] == pytest.approx(record.summary["cf1_harmonic@0.5"], abs=1e-12)


def test_a_score_file_that_was_changed_is_told_and_not_drawn(
    made: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, path, *_ = made
    file = path.with_suffix("") / record.scores[-1].file
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    assert scored.over_thresholds(group_rows([record]), folders=[tmp_path]) == {}
    assert "is not the digest of" in caplog.text


def test_records_without_score_files_ask_for_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "stream_of", lambda record, data: pytest.fail("the data was asked for"))
    rows = group_rows([factory.make_record(factory.METHODS[4], factory.TINY)])
    assert scored.over_thresholds(rows, folders=[tmp_path]) == {}


def test_data_that_is_not_here_is_told_in_a_line(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(record: Any, data: Any) -> None:
        raise UsageError("the labels are not on this machine.")

    monkeypatch.setattr(scored, "stream_of", gone)
    with caplog.at_level(logging.WARNING):
        assert scored.over_thresholds(group_rows([made[0]]), folders=[tmp_path]) == {}
    assert "not drawn. the labels are not on this machine." in caplog.text
