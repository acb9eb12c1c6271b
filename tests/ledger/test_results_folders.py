"""A folder that holds no records of its own is told from the results folder that must be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import clbench
from clbench.errors import ResultsError
from clbench.records.collection import collect
from clbench.records.folder import check_folder
from clbench.records.unfinished import statuses


@pytest.fixture
def results(tmp_path: Path) -> Path:
    file = tmp_path / "results" / "tiny.v1" / "naive" / "0123abcd" / "seed0.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    return tmp_path / "results"


@pytest.mark.parametrize("inner", ["tiny.v1", "tiny.v1/naive", "tiny.v1/naive/0123abcd", ".."])
def test_a_folder_inside_or_around_a_results_folder_is_no_results_folder(results: Path, inner: str):
    with pytest.raises(ResultsError) as told:
        check_folder(results / inner)
    meant = Path((told.value.hint or "").partition("--results ")[2])
    assert meant.resolve() == results


def test_a_record_is_no_results_folder_and_its_own_is_named(results: Path):
    with pytest.raises(ResultsError, match="is a file, and results are a folder") as told:
        check_folder(results / "tiny.v1" / "naive" / "0123abcd" / "seed0.json")
    assert told.value.hint == f"Name that one: --results {results}"


def test_a_results_folder_passes_with_records_without_and_with_the_shipped_ones(results: Path, tmp_path: Path):
    check_folder(results)
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty")
    shipped = tmp_path / "clone" / "results"
    shipped.mkdir(parents=True)
    (results / "tiny.v1").rename(shipped / "tiny.v1")
    shipped.rename(tmp_path / "clone" / "reference")
    (tmp_path / "clone" / "reference").rename(results / "reference")
    check_folder(results)
    check_folder(results / "reference")


def test_files_of_other_people_are_no_records(tmp_path: Path):
    for place in ("seed0.json", "a/seed1.json", "a/b/c/seed.json", "a/0123abcd/seed-2.json"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("{}")
    check_folder(tmp_path)
    with pytest.raises(ResultsError, match="is a file") as told:
        check_folder(tmp_path / "seed0.json")
    assert told.value.hint == "Name one with --results."


@pytest.mark.parametrize("read", [clbench.load_results, collect, lambda folder: list(statuses(folder))])
def test_who_reads_results_reads_nothing_past_the_records_there(results: Path, read):
    with pytest.raises(ResultsError, match=f"--results {results}"):
        read(results / "tiny.v1")
