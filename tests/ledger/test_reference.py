"""What clbench ships and what a run leaves lie apart, and shipped rows are those of the files beside them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
import record_factory as factory

from clbench.errors import CheckError, UsageError
from clbench.records.collection import collect
from clbench.records.record import Record, write_record
from clbench.records.rows import group_rows
from clbench.records.store import record_path, scan
from clbench.records.submission import submitted, why_not_shipped
from clbench.records.unfinished import statuses
from clbench.records.verify.verify import verify
from clbench.report.table.beside_reference import standing

ROOT = Path(__file__).parents[2]
ER, NAIVE = factory.METHODS[4], factory.METHODS[1]


def changed(record: Record, *, session: int, label: int, by: float | None, table: str = "fixed") -> Record:
    matrix = [list(row) for row in getattr(record.ap, table)]
    old = matrix[session][label]
    assert old is not None
    matrix[session][label] = None if by is None else old + by
    sections = factory.sections_of(record)
    return factory.sealed(sections | {"ap": msgspec.structs.replace(record.ap, **{table: matrix})})


def test_a_reference_of_another_protocol_is_compared_with_nothing_and_told() -> None:
    (row,) = group_rows([factory.make_record(ER, factory.TINY)])
    (older,) = group_rows([factory.make_record(ER, factory.TINY, protocol=1)])
    assert (standing(row, [older]).kind, standing(row, [older]).protocol) == ("none", 1)
    (other,) = group_rows([factory.make_record(NAIVE, factory.TINY, protocol=1)])
    assert standing(row, [other]).protocol == 0, "the reference of another method says nothing of this one"


def test_the_results_folder_of_the_checkout_has_no_shipped_record_among_ones_own(tmp_path: Path) -> None:
    record = factory.make_record(ER, factory.TINY)
    write_record(record, record_path(tmp_path / "reference", record))
    assert scan(tmp_path) == ([], []) and statuses(tmp_path) == []
    write_record(record, record_path(tmp_path, record))
    assert [item.path for item in scan(tmp_path)[0]] == [record_path(tmp_path, record)]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_what_a_run_leaves_is_nothing_to_git() -> None:
    below = (
        "tiny.v1/er/0123abcd/seed0.json",
        "tiny.v1/report/leaderboard.md",
        ".search/x",
        "reference/a/b/c/seed0/state.pt",
    )
    paths = [f"results/{name}" for name in below]
    done = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == paths
    shipped = subprocess.run(
        ["git", "check-ignore", "results/reference/a/b/c/seed0.json"], cwd=ROOT, capture_output=True
    )
    assert shipped.returncode == 1


def test_a_row_is_equal_to_its_reference_only_where_every_ap_is() -> None:
    records = [factory.make_record(ER, factory.TINY, seed=seed) for seed in range(2)]
    (row,), (reference,) = group_rows(records), group_rows(records)
    assert (standing(row, [reference]).kind, standing(row, [reference]).seeds) == ("equal", (0, 1))
    assert standing(row, group_rows([factory.make_record(NAIVE, factory.TINY)])).kind == "none"
    assert standing(row, group_rows([factory.make_record(ER, factory.TINY, seed=7)])).kind == "none"
    bit = changed(records[1], session=2, label=3, by=2**-50)
    found = standing(row, group_rows([records[0], bit]))
    assert (found.kind, found.seed, found.session, found.label) == ("differs", 1, 2, records[0].labels[3])
    assert 0 < found.largest < 1e-14


def test_the_first_difference_is_told_and_the_largest_wherever_it_is() -> None:
    record = factory.make_record(ER, factory.TINY)
    other = changed(changed(record, session=1, label=0, by=0.001), session=2, label=1, by=-0.0625, table="growing")
    found = standing(*group_rows([record]), group_rows([other]))
    assert (found.session, found.label, found.largest) == (1, record.labels[0], pytest.approx(0.0625, abs=1e-12))
    assert found.sentence().endswith("Nothing else differs.")


def test_a_changed_record_that_names_the_content_of_a_whole_one_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = factory.make_record(ER, factory.TINY)
    write_record(record, record_path(tmp_path / "shipped", record))
    own = record_path(tmp_path / "results", record)
    write_record(record, own)
    own.write_text(own.read_text().replace('"stored_images": 40', '"stored_images": 41', 1))
    monkeypatch.setattr("clbench.files.roots.reference_results", lambda: tmp_path / "shipped")
    assert set(collect(tmp_path / "results", reference=True).trust.values()) == {"unverified"}


def test_only_what_the_checkout_can_make_again_is_submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = factory.make_record(ER, factory.TINY)
    path = record_path(tmp_path / "own", record)
    write_record(record, path)
    path.with_name("config.yaml").write_text("scenario: tiny\n")
    monkeypatch.setattr("clbench.files.roots.shipped_root", lambda: tmp_path)
    with pytest.raises(UsageError, match="no checkout"):
        submitted([verify(path)])
    (tmp_path / "pyproject.toml").touch()
    with pytest.raises(CheckError, match=r"there is no strategies/er\.py"):
        submitted([verify(path)])
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "er.py").write_text("another version")
    with pytest.raises(CheckError, match="was changed after the run"):
        submitted([verify(path)])
    dirty = factory.sections_of(record) | {"marks": ["dirty"]}
    assert "dirty" in why_not_shipped(factory.sealed(dirty), root=tmp_path)
    assert not (tmp_path / "results").exists()
    monkeypatch.setattr("clbench.records.submission.why_not_shipped", lambda record, root: "")
    (target,) = submitted([verify(path)])
    assert target == record_path(tmp_path / "results" / "reference", record)
    assert target.read_bytes() == path.read_bytes() and target.with_name("config.yaml").is_file()
