"""Several scenarios in one table, and several results folders in one."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
import record_factory as factory

from clbench.errors import ResultsError
from clbench.records.collection import collect, folders
from clbench.records.record import Record, write_record
from clbench.records.store import record_path
from clbench.report.table.across import Across, across, csv_text, latex, markdown, usual_columns
from clbench.report.table.leaderboard import leaderboard

JOINT, NAIVE, LWF, _, ER, DERPP, KRT, DLFL = factory.METHODS


def table(*records: Record) -> Across:
    board = leaderboard(records, trust={record.content: "consistent" for record in records}, published=False)
    return across(board, ["coco_b40c10", "coco_b0c10"])


def test_every_method_has_one_line_with_the_numbers_of_each_scenario() -> None:
    records = [factory.make_record(ER), factory.make_record(ER, factory.B0), factory.make_record(LWF)]
    found = table(*records)
    names = ["coco_b40c10 Avg. mAP", "coco_b40c10 Last mAP", "coco_b0c10 Avg. mAP", "coco_b0c10 Last mAP"]
    assert [title for title in found.grid.titles if "mAP" in title] == names
    lines = {line[0]: line[-4:] for line in found.grid.texts}
    assert lines["er"] == [
        f"{100 * (record.summary[name] or 0):.1f}" for record in records[:2] for name in ("average_map", "last_map")
    ]
    assert lines["lwf"][2:] == ["–", "–"]
    assert [line.strategy for line in found.lines] == ["er", "lwf"]  # what lacks a scenario stands below


def test_a_method_has_one_line_whatever_its_memory_and_two_where_a_scenario_has_two() -> None:
    small = replace(ER, fields=(("memory", 400),))
    found = table(factory.make_record(ER), factory.make_record(small, factory.B0))
    assert [line.settings for line in found.lines] == ["memory=1600 | memory=400"]
    found = table(factory.make_record(ER), factory.make_record(small), factory.make_record(small, factory.B0))
    assert [line.settings for line in found.lines] == ["memory=400", "memory=1600"]


def test_it_is_written_as_markdown_csv_and_latex() -> None:
    found = table(factory.make_record(ER), factory.make_record(ER, factory.B0))
    assert markdown(found).count("\n| ") == 3
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert [(row["scenario"], row["strategy"]) for row in rows] == [("coco_b40c10", "er"), ("coco_b0c10", "er")]
    assert r"\multicolumn{2}{c}{coco\_b40c10} & \multicolumn{2}{c}{coco\_b0c10} \\" in latex(found)
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in latex(found)


def test_how_far_the_test_images_leave_last_map_open_is_shown_unasked_where_it_is_known() -> None:
    records = [factory.make_record(ER), factory.make_record(ER, factory.B0)]
    trust = {record.content: "consistent" for record in records}
    board = leaderboard(records, trust=trust, published=False, measured={"error_images": {records[0].content: 0.012}})
    assert usual_columns(leaderboard(records, trust=trust, published=False)) == ("average_map", "last_map")
    found = across(board, ["coco_b40c10", "coco_b0c10"], keys=usual_columns(board))
    shown = dict(zip(found.grid.titles, found.grid.texts[0], strict=True))
    assert (shown["coco_b40c10 ± images"], shown["coco_b0c10 ± images"]) == ("1.2", "–")
    assert any("luck of the test images" in note for note in found.notes())
    assert r"& Avg. & Last & $\pm$ images & Avg." in latex(found)


def kept(folder: Path, method: factory.Method, *seeds: int) -> Path:
    for seed in seeds:
        record = factory.make_record(method, factory.TINY, seed=seed)
        path = record_path(folder, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(record, path)
    return folder


def test_seeds_of_two_folders_make_one_row(tmp_path: Path) -> None:
    both = (kept(tmp_path / "a", ER, 0, 1), kept(tmp_path / "b", ER, 1, 2))
    (row,) = collect(both, reference=False).rows
    assert row.seeds == (0, 1, 2)
    assert folders(both)[:2] == list(both)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="elsewhere: no such results folder"):
        collect((kept(tmp_path / "a", ER, 0), tmp_path / "elsewhere"), reference=False)
