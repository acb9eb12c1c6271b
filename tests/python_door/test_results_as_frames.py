"""`clbench.load_results` gives every number of the records, once, in one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from record_factory import METHODS, TINY, make_record

import clbench
from clbench.errors import ResultsError, UsageError
from clbench.records.frame import PLACE, RUN
from clbench.records.record import Record, write_record
from clbench.records.store import record_path


@pytest.fixture
def written(tmp_path: Path) -> list[Record]:
    records = [make_record(method, TINY, seed=seed) for method in (METHODS[1], METHODS[4]) for seed in (0, 1)]
    return [write_record(record, record_path(tmp_path, record)) for record in records]


def test_a_wide_row_is_a_run_session_and_label(tmp_path: Path, written: list[Record]):
    wide = clbench.load_results(tmp_path, shape="wide")
    assert list(wide.columns[: len(RUN) + 2]) == [*RUN, *PLACE]
    assert not wide.duplicated([*RUN, *PLACE]).any()
    assert len(wide) == 4 * (3 * 6 + 3 + 1)  # sessions x labels, sessions, the run
    record = written[2]
    mine = wide[(wide.strategy == "er") & (wide.seed == 0)]
    (row,) = mine[(mine.session == 2) & (mine.label == record.labels[1])].to_dict("records")
    assert (row["ap"], row["ap_fixed"]) == (record.ap.growing[2][1], record.ap.fixed[2][1])
    assert row["tp@0.5"] == record.counts["0.5"].tp[2][1]
    (session,) = mine[(mine.session == 1) & mine.label.isna()].to_dict("records")
    seen = [value for value in record.ap.growing[1] if value is not None]
    assert session["session_map"] == pytest.approx(sum(seen) / len(seen), abs=1e-15)
    assert session["stored_images"] == record.costs[1].stored_images
    assert session["train_seconds"] == record.times.sessions[1].train_seconds
    (run,) = mine[mine.session.isna()].to_dict("records")
    assert {name: run[name] for name in record.summary} == record.summary
    assert run["table"] == "tiny.v1.scenes"
    assert run["settings"] == "memory=1600"
    assert run["configuration"] == record.configuration[:8]


def test_a_long_row_is_one_defined_number(tmp_path: Path, written: list[Record]):
    long = clbench.load_results(tmp_path)
    assert list(long.columns) == [*RUN, *PLACE, "measure", "value"]
    assert long.value.notna().all()
    naive = long[(long.strategy == "naive") & (long.seed == 1) & (long.measure == "ap_fixed")]
    defined = [value for row in written[1].ap.fixed for value in row if value is not None]
    assert naive.value.tolist() == defined
    assert naive.session.tolist() == [0] * 2 + [1] * 4 + [2] * 6


def test_a_changed_record_is_unverified(tmp_path: Path, written: list[Record], caplog: pytest.LogCaptureFixture):
    path = record_path(tmp_path, written[0])
    content = json.loads(path.read_text())
    content["summary"]["last_map"] = 0.99
    path.write_text(json.dumps(content))
    wide = clbench.load_results(tmp_path, shape="wide")
    assert set(wide[wide.seed == 0].trust) == {"unverified", "consistent"}
    assert set(wide[(wide.seed == 0) & (wide.strategy == "naive")].trust) == {"unverified"}
    assert "summary" in caplog.text


def test_what_is_not_there_is_said(tmp_path: Path, written: list[Record]):
    with pytest.raises(ResultsError, match=r"there are no records|no such results folder"):
        clbench.load_results(tmp_path / "empty")
    with pytest.raises(UsageError, match="Did you mean 'tiny'"):
        clbench.load_results(tmp_path, scenario="tyny")
    with pytest.raises(UsageError, match="'long' or 'wide'"):
        clbench.load_results(tmp_path, shape="broad")  # type: ignore[arg-type]
