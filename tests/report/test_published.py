"""The curated file of printed numbers: sources everywhere, disagreements kept, nothing ranked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import record_factory as factory

from clbench.report.formats.markdown import markdown
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.published import Printed, all_printed, printed_for

ROWS = all_printed()
SCENARIOS = Path(__file__).parents[2] / "scenarios"


def test_every_row_has_a_source_and_at_least_one_number() -> None:
    assert len(ROWS) == 340
    for row in ROWS:
        assert row.source and row.method and row.dataset and row.protocol
        assert row.average_map or row.last_map or row.note, row
    assert sum(not (row.average_map or row.last_map) for row in ROWS) == 3  # abstracts, which say something else


@pytest.mark.parametrize("name", ["average_map", "last_map", "cf1", "of1"])
def test_numbers_are_per_cent_as_printed(name: str) -> None:
    for row in ROWS:
        text = getattr(row, name)
        assert text == "" or (re.fullmatch(r"\d{1,2}(\.\d{1,4})?", text) and 0 < float(text) < 100), row


def test_every_scenario_named_is_one_that_is_shipped() -> None:
    shipped = {path.stem for path in SCENARIOS.glob("*.yaml")}
    assert {row.scenario for row in ROWS} - {""} <= shipped


def test_a_printed_cf1_says_what_it_is() -> None:
    assert all(row.f1_kind for row in ROWS if row.cf1)
    assert {row.f1_kind for row in ROWS if row.scenario.startswith("coco_b") and row.cf1} == {"macro-F1 @0.8"}


def test_disagreeing_sources_stand_side_by_side() -> None:
    rows = [row for row in printed_for("coco_b40c10") if row.method == "CSC"]
    assert {(row.average_map, row.last_map) for row in rows} == {("78.2", "74.0"), ("78.0", "75.0")}
    assert all("disagreement" in row.remarks for row in rows)


def test_remarks_are_short_and_name_no_private_place() -> None:
    for row in ROWS:
        text = " ".join(getattr(row, name) for name in Printed.__struct_fields__)
        assert len(row.remarks) < 200
        assert not re.search(r"/work|\.\./|\.md\b|see protocols", text)


def test_printed_numbers_stand_beside_ours_without_a_rank() -> None:
    board = leaderboard([factory.make_record(factory.METHODS[4])])
    (table,) = board.tables
    assert len(table.printed) == len(printed_for("coco_b40c10"))
    assert [row.strategy for row in table.rows] == ["er"]
    text = markdown(board)
    ours, theirs = text.split("### Printed in papers")
    assert "never ranked" in theirs and "| KRT |" in theirs and "KRT" not in ours


def test_they_can_be_left_out() -> None:
    board = leaderboard([factory.make_record(factory.METHODS[4])], published=False)
    assert board.tables[0].printed == []


def test_rows_are_ordered_by_buffer_and_then_by_average() -> None:
    rows = printed_for("coco_b0c10")
    buffers = list(dict.fromkeys(row.buffer for row in rows if row.buffer))
    assert buffers == ["none", "5 per label", "20 per label", "1000 in all"]
    for buffer in buffers:
        averages = [float(row.average_map) for row in rows if row.buffer == buffer and row.average_map]
        assert averages == sorted(averages, reverse=True)
