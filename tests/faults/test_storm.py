"""The storm script, a breeze of it: what it tries survives, and it would say so where something did not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).parents[2] / "benchmarks" / "storm.py"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_breeze_leaves_nothing_else_and_writes_its_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- storm -->\n<!-- /storm -->\nafter\n")
    words = [sys.executable, "-W", "ignore", STORM, "--kills", "2", "--flips", "3", "--inputs", "90", "--write", page]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    text = page.read_text()
    assert text.startswith("before\n<!-- storm -->\n| what |") and text.endswith("<!-- /storm -->\nafter\n")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 1 + 20 + 9 and all(row[-1].strip() == "0" for row in rows)


def test_the_page_shows_a_storm_that_left_nothing_else() -> None:
    block = (STORM.parents[1] / "docs" / "trust.md").read_text().partition("<!-- storm -->\n")[2].partition("<!-- /")[0]
    assert all(
        part in block for part in ("| run killed ", "| state.pt, 500 flipped bits |", "| record, 556 damaged ones |")
    )
    rows = [line.split("|")[1:-1] for line in block.splitlines()[2:]]
    assert len(rows) == 30 and all(row[-1].strip() == "0" for row in rows)
