"""Every test that docs/trust.md names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def held_by() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each promise of the table with the files and tests that hold it."""
    text = (TESTS.parent / "docs/trust.md").read_text(encoding="utf-8").partition("## What holds it")[2]
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("| ")][1:]
    return [(promise.strip(), NAMED.findall(tests)) for promise, tests in rows]


def test_every_test_that_is_named_exists() -> None:
    named = {one for _, tests in held_by() for one in tests}
    there = {
        (file, item.name)
        for file in {file for file, _ in named}
        for item in ast.parse((TESTS / file).read_text(encoding="utf-8")).body
        if isinstance(item, ast.FunctionDef)
    }
    assert sorted(named - there) == []


def test_every_promise_names_a_test() -> None:
    assert len(held_by()) > 25 and [promise for promise, tests in held_by() if not tests] == []
