"""`clbench report html`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import page_records
import pytest
from record_factory import B40, METHODS, TINY, make_record

from clbench.cli import main
from clbench.files import roots


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(roots.BESIDE, "")
    monkeypatch.chdir(tmp_path)
    page_records.write_folder(
        tmp_path / "results",
        [make_record(METHODS[4], TINY), make_record(METHODS[7], TINY), make_record(METHODS[4], B40)],
    )
    return tmp_path


def typed(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(["report", "html", *words])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_it_writes_one_page_and_says_where(here: Path, capsys: pytest.CaptureFixture[str]):
    assert typed() == 0
    assert capsys.readouterr().out == "report.html\n"
    text = (here / "report.html").read_text(encoding="utf-8")
    assert '"slug":"tiny.v1.scenes"' in text and '"slug":"coco_b40c10.v1"' in text


def test_one_scenario_has_a_page_of_its_own(here: Path):
    assert typed("tiny", "--out", "deep/er/tiny.html", "--no-published") == 0
    text = (here / "deep" / "er" / "tiny.html").read_text(encoding="utf-8")
    assert '"slug":"tiny.v1.scenes"' in text and "coco_b40c10.v1" not in text


def test_a_misspelt_scenario_is_answered_with_the_nearest(here: Path, capsys: pytest.CaptureFixture[str]):
    assert typed("coco_b40c11") == 2
    assert "Did you mean 'coco_b40c10'?" in capsys.readouterr().err
    assert not (here / "report.html").exists()


def test_a_scenario_without_records_has_a_page_of_the_numbers_from_papers(
    here: Path, capsys: pytest.CaptureFixture[str]
):
    assert typed("voc07_b10c2", "--no-reference") == 0
    told = capsys.readouterr()
    assert told.out == "report.html\n"
    assert told.err == "There are no records of voc07_b10c2. Run it: clbench run voc07_b10c2\n"
    text = (here / "report.html").read_text(encoding="utf-8")
    assert '"slug":"voc07_b10c2.v1"' in text and '"rows":[]' in text
    (here / "report.html").unlink()
    assert typed("voc07_b10c2", "--no-reference", "--no-published") == 2
    assert typed("peta_b15c5") == 2, "no record, and nothing in print"
    assert not (here / "report.html").exists()


def test_a_file_that_cannot_be_written_is_told_without_a_traceback(here: Path, capsys: pytest.CaptureFixture[str]):
    assert typed("--out", "results/tiny.v1.scenes") == 2  # click itself refuses folders
    (here / "file").write_text("")
    assert typed("--out", "file/report.html") == 4
    assert "file/report.html: the page cannot be written" in capsys.readouterr().err


def test_pictures_beside_records_are_in_the_page(here: Path):
    from PIL import Image

    work = next(here.glob("results/tiny.v1.scenes/dlfl/*/seed0.json")).with_suffix("")
    work.mkdir()
    Image.new("RGB", (30, 20), "blue").save(work / "explain-car-test-7.png")
    assert typed("tiny") == 0
    assert '"caption":"car-test-7"' in (here / "report.html").read_text(encoding="utf-8")
