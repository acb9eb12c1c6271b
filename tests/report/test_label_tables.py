"""Labels as a tidy table and curves of one label as data."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import record_factory as factory

from clbench import metrics
from clbench.errors import DataError, UsageError
from clbench.records.rows import group_rows
from clbench.report.compare import label_curves, measured
from clbench.report.compare.label_errors import label_errors
from clbench.report.table.labels import NAMES, csv_text, grid_of, method_names

ER, LWF = factory.METHODS[4], factory.METHODS[2]


def test_every_label_has_a_line_for_each_session_that_knew_it() -> None:
    records = [factory.make_record(ER, factory.TINY, seed=seed) for seed in (0, 1)]
    lines = list(csv.DictReader(io.StringIO(csv_text(group_rows(records)))))
    assert len(lines) == 2 * (2 + 4 + 6)
    assert tuple(lines[0]) == NAMES
    last = [line for line in lines if line["seed"] == "1" and line["session"] == "3"]
    assert [float(line["ap"]) for line in last] == records[1].ap.growing[-1]
    assert [line["learned"] for line in last] == ["1", "1", "2", "2", "3", "3"]


def test_how_far_other_test_images_would_move_a_label_stands_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, path, truth, tests = factory.make_scored(tmp_path)
    monkeypatch.setattr(measured, "stream_of", lambda record, data: factory.Tested(truth))
    monkeypatch.setattr(measured, "other_stream", lambda record, stream: [])
    monkeypatch.setattr(measured, "tested_places", lambda record, stream: tests)
    rows = group_rows([record])
    found = label_errors(rows, folders=[tmp_path])
    scores, known = np.load(path.with_suffix("") / record.scores[-1].file)[tests[-1]], truth[tests[-1]]
    alone = {label: metrics.map_error(scores[:, [i]], known[:, [i]]) for i, label in enumerate(record.labels)}
    assert found == {record.content: alone}
    shown = grid_of(rows, found)
    assert shown.titles[-1] == "± images" and shown.texts[0][-1] == f"{100 * alone[record.labels[0]]:.1f}"
    assert "± images" not in grid_of(rows).titles
    lines = list(csv.DictReader(io.StringIO(csv_text(rows, found))))
    assert [line["error_images"] != "" for line in lines] == [line["session"] == "3" for line in lines]


def test_methods_are_told_apart_without_digests() -> None:
    record = factory.make_record(ER, factory.TINY)
    again = factory.sealed(
        factory.sections_of(record) | {"environment": record.environment | {"weights_tensors": "f" * 64},
                                       "train": record.train | {"weights": "hub"}}
    )  # fmt: skip
    other = factory.make_record(replace(ER, fields=(("memory", 12),)), factory.TINY)
    names = method_names(group_rows([record, again, other]))
    assert len(set(names)) == 3
    assert "er (memory=12)" in names
    assert not any(re.search(r"[0-9a-f]{6}", name) for name in names)


def test_a_terminal_has_a_line_per_label_and_a_column_per_method() -> None:
    shown = grid_of(group_rows([factory.make_record(method, factory.TINY) for method in (ER, LWF)]), most=1)
    assert shown.titles == ["Label", "Session", "er (memory=1600)"]
    assert len(shown.texts) == 6


def test_curves_of_a_label_follow_from_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, path, truth, tests = factory.make_scored(tmp_path)
    monkeypatch.setattr(label_curves, "stream_of", lambda record, data: factory.Tested(truth))
    monkeypatch.setattr(label_curves, "other_stream", lambda record, stream: [])
    monkeypatch.setattr(label_curves, "tested_places", lambda record, stream: tests)
    scores = np.load(path.with_suffix("") / record.scores[-1].file)[tests[-1]]
    label = record.labels[2]
    found = label_curves.points(group_rows([record]), label, curve="precision-recall", folders=[tmp_path])
    expected = metrics.precision_recall(scores[:, 2], truth[tests[-1], 2])
    assert [point["precision"] for point in found] == pytest.approx(expected.precision.tolist())
    assert all(0 < point["threshold"] < 1 for point in found)  # probabilities, though logits are kept
    bins = label_curves.points(group_rows([record]), label, curve="calibration", folders=[tmp_path], bins=4)
    assert sum(point["images"] for point in bins) == int((truth[tests[-1], 2] >= 0).sum())
    with pytest.raises(UsageError, match="no such label"):
        label_curves.points(group_rows([record]), "dgo", curve="calibration", folders=[tmp_path])
    with pytest.raises(DataError, match="no row has score files"):
        label_curves.points(group_rows([record]), label, curve="calibration", folders=[tmp_path / "elsewhere"])
