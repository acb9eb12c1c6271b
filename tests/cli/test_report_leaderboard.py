"""`clbench report leaderboard`: printed rows without records, parts of a table, several folders, failed runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import record_factory as factory

from clbench.files import roots
from clbench.records.record import write_record
from clbench.records.store import record_path

CLI = Callable[..., Any]
JOINT, NAIVE, LWF, _, ER, *_ = factory.METHODS


@pytest.fixture(autouse=True)
def _no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "reference_results", lambda: None)


def keep(folder: Path, method: factory.Method, layout: factory.Layout = factory.B40, *, seed: int = 0) -> Path:
    record = factory.make_record(method, layout, seed=seed)
    path = record_path(folder, record)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(record, path)
    return path


def test_a_scenario_without_records_shows_what_papers_print(cli: CLI):
    found = cli("report", "leaderboard", "coco_b40c10")
    assert found.code == 0
    assert "No record of it here" in found.out
    assert "KBK (arXiv 2608.30316), Table 1" in found.out
    assert "clbench run coco_b40c10" in found.out


def test_without_records_and_without_printed_numbers_it_is_an_error(cli: CLI):
    assert cli("report", "leaderboard", "tiny").code == 4
    assert cli("report", "leaderboard", "coco_b40c10", "--mine").code == 4


@pytest.mark.parametrize("name", ["**a", "a**", "*", "coco_*", "[", "?", "/", ".."])
def test_a_name_is_a_name_and_no_pattern(cli: CLI, here: Path, name: str):
    keep(here / "results", ER)
    for verb in ("leaderboard", "curves", "heads"):
        found = cli("report", verb, name)
        assert found.code == 2 and f"There are no records of '{name}'" in found.err


def test_own_rows_alone_have_nothing_printed_beside_them(cli: CLI, here: Path):
    keep(here / "results", ER)
    assert "Printed in papers" in cli("report", "leaderboard", "coco_b40c10").out
    assert "Printed" not in cli("report", "leaderboard", "coco_b40c10", "--mine").out
    assert cli("report", "leaderboard", "coco_b40c10", "--mine", "--reference").code == 2


def test_strategies_and_columns_are_chosen(cli: CLI, here: Path):
    for method in (ER, LWF, NAIVE):
        keep(here / "results", method)
    found = cli("report", "leaderboard", "coco_b40c10", "--strategy", "er,krt", "--columns", "last_map,of1")
    assert "Last mAP" in found.out
    assert "Forgetting" not in found.out
    assert "lwf" not in found.out
    assert "krt is known as a printed row only" in found.out
    assert "OF1 @0.8" in found.out


def test_two_folders_and_two_scenarios_make_one_table(cli: CLI, here: Path):
    keep(here / "a", ER)
    keep(here / "b", ER, seed=1)
    keep(here / "b", ER, factory.B0)
    found = cli("report", "leaderboard", "coco_b40c10", "coco_b0c10", "--results", "a", "--results", "b")
    assert found.code == 0
    assert "coco_b0c10 Last mAP" in found.out
    (line,) = [line for line in found.out.splitlines() if line.startswith("er ")]
    assert line.split()[:3] == ["er", "linear", "memory=1600"]
    assert cli("report", "leaderboard", "coco_b40c10", "coco_b0c10", "--results", "b", "--format", "json").code == 2


def test_a_failed_run_is_named_below_the_table_and_by_status(cli: CLI, here: Path):
    path = keep(here / "results", ER)
    work = path.with_name("seed7")
    work.mkdir()
    (work / "error.txt").write_text("it diverged")
    assert f"seed 7, after 0 sessions; why: {Path('results')}" in cli("report", "leaderboard", "coco_b40c10").out
    assert "failed" in cli("status").out
