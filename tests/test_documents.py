"""The tables in the documents are what the shipped records say."""

from __future__ import annotations

from pathlib import Path

import pytest

from clbench.records.collection import collect
from clbench.report.formats.readme import stale
from clbench.report.table.heads_compared import head_tables
from clbench.report.table.leaderboard import leaderboard

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["README.md", "docs/claim.md"])
def test_no_table_is_stale(name: str) -> None:
    collection = collect(ROOT / "results" / "reference")
    board = leaderboard(collection.rows, trust=collection.trust, published=False)
    text = (ROOT / name).read_text(encoding="utf-8")
    assert stale(text, board, head_tables(collection.rows)) == [], "clbench report readme FILE"


def test_every_shipped_record_is_consistent() -> None:
    collection = collect(ROOT / "results" / "reference")
    assert collection.records
    assert {collection.trust[record.content] for record in collection.records} == {"consistent"}
