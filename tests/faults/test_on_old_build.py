"""The script that brings out an old build's faults: what it tries is promised, shown on the page, and mended here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import on_old_build
from old_build.build import Door, Fault
from test_trust_table import held_by

ROOT = Path(__file__).parents[2]
NOT_BY_COMMAND = {"each verb finds the mode and gradients that the page says", "a damaged export is named"}
"""Promises that the old build could not break: it told no modes and had no exports."""
SOME = ("leak_denied", "link_as_lock", "long_header", "moves_cursor", "other_etag", "tar_as_zip", "wrong_shape")


def test_every_promise_of_the_page_is_tried_on_the_old_build() -> None:
    promised = {promise for promise, _ in held_by()}
    assert {fault.promise for fault in on_old_build.FAULTS} == promised - NOT_BY_COMMAND


def test_the_page_shows_each_fault_in_the_old_build_alone() -> None:
    page = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
    block = page.partition("<!-- on an old build -->\n")[2].partition("<!-- /on an old build -->")[0]
    shown = [line.split(" | ")[0].removeprefix("| ") for line in block.splitlines()[2:]]
    assert shown == [fault.tried for fault in on_old_build.FAULTS]
    assert "**" not in block


@pytest.fixture(scope="module")
def here() -> Iterator[Door]:
    door = Door(ROOT)
    yield door
    door.close()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [fault for fault in on_old_build.FAULTS if fault.seen.__name__ in SOME])
def test_this_build_has_none_of_them(fault: Fault, here: Door) -> None:
    still, seen = on_old_build.seen_by(here, fault)
    assert not still, seen
