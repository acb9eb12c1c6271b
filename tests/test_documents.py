"""The tables in the documents are what the shipped records say."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from clbench.records.collection import Collection, collect
from clbench.report.formats.readme import stale
from clbench.report.table.choice import chosen_boards
from clbench.report.table.heads_compared import head_tables
from clbench.report.table.leaderboard import leaderboard
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
    assert stale(text, board, head_tables(collection.rows), orders, chosen) == [], "clbench report readme FILE"


def test_every_shipped_record_is_consistent() -> None:
    collection = shipped()
    assert collection.records
    assert {collection.trust[record.content] for record in collection.records} == {"consistent"}
