"""The tables in the documents are what the shipped records say."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from clbench.records.collection import Collection, collect
from clbench.report.figures.album import write_album
from clbench.report.formats.readme import Besides, stale
from clbench.report.table.choice import chosen_boards
from clbench.report.table.heads_compared import csv_text, head_tables
from clbench.report.table.leaderboard import leaderboard, sections
from clbench.report.table.orders_compared import orders_tables

ROOT = Path(__file__).parents[1]


@functools.cache
def shipped() -> Collection:
    return collect(ROOT / "results" / "reference")


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_no_table_is_stale(name: str) -> None:
    collection = shipped()
    board = leaderboard(collection.rows, trust=collection.trust, published=False)
    text = (ROOT / name).read_text(encoding="utf-8")
    orders = orders_tables(collection.rows, measure="last_map", trust=collection.trust)
    chosen = list(chosen_boards(collection.rows, trust=collection.trust))
    assert stale(text, board, Besides(head_tables(collection.rows), orders, chosen)) == [], "clbench report readme FILE"


def test_the_figures_of_the_evidence_show_what_the_shipped_records_say(tmp_path: Path) -> None:
    drawn, collection = ROOT / "docs" / "figures", shipped()
    own = [row for row in collection.rows if row.first.scenario.name == "coco_b40c10"]
    heads = csv_text(head_tables(own, trust=collection.trust), {})
    assert (drawn / "stand_in_heads.csv").read_text(encoding="utf-8") == heads, "make docs"
    rows = next(rows for rows, _ in sections(collection.rows, scenario="coco_b40c10"))
    write_album(rows, tmp_path, formats=[], matrices=0)
    assert (drawn / "stand_in_cost.csv").read_bytes() == (tmp_path / "cost.csv").read_bytes(), "make docs"


def test_every_shipped_record_is_consistent() -> None:
    collection = shipped()
    assert collection.records
    assert {collection.trust[record.content] for record in collection.records} == {"consistent"}
