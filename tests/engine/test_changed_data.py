"""Data that changed since a run was finished: told by run, status, reports and verification, and cheap to ask."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import msgspec
import pytest
import yaml
from data_makers import jpeg, put
from tiny_scenarios import finished, planned

import clbench
from clbench.cli.group import invoke
from clbench.data.pictures.photo_digest import files_digest
from clbench.records import data_since
from clbench.records.data_since import changed_since
from clbench.records.record import Record, read_record
from clbench.records.rows import group_rows, why_not
from clbench.records.unfinished import statuses
from clbench.records.verify import against_stream
from clbench.records.verify.against_stream import verifications
from clbench.train.events import Event, Message
from clbench.train.run import RunOptions, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scenario on photos of one's own, and a finished run of it."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["file,split,labels"]
    for number in range(24):
        shade = (10 * number, 255 - 10 * number, 7 * number)
        put(folder / f"scenarios/photos/{number}.jpg", jpeg(shade))
        lines.append(f"photos/{number}.jpg,{'test' if number % 3 == 0 else 'train'},{'cat' if number % 2 else 'dog'}")
    put(folder / "scenarios/mine.csv", "\n".join(lines))
    about = {
        "name": "own", "version": 1, "title": "Own photos.", "dataset": "mine.csv",
        "labels": {"sessions": [["cat"], ["dog"]]}, "strategies": ["naive"],
        "train": {"backbone": "clbench_small", "image_size": 32, "epochs": 1, "batch_size": 8},
    }  # fmt: skip
    put(folder / "scenarios/own.yaml", yaml.safe_dump(about))
    finished(planned(str(folder / "scenarios/own.yaml"), "naive"), folder / "results")
    return folder


@pytest.fixture
def own(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may spoil."""
    shutil.copytree(made, tmp_path / "own", copy_function=shutil.copy2)
    monkeypatch.chdir(tmp_path / "own")
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    against_stream._stream.cache_clear()
    data_since._source.cache_clear()
    return tmp_path / "own"


def record_in(folder: Path) -> tuple[Path, Record]:
    (path,) = (folder / "results").rglob("seed1.json")
    return path, read_record(path)


def told_by_run(folder: Path) -> str:
    said: list[Event] = []
    run(planned(str(folder / "scenarios/own.yaml"), "naive"), RunOptions(results=folder / "results"), watch=said.append)
    return " ".join(event.text for event in said if isinstance(event, Message))


def told_everywhere(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What run, status and a report say."""
    (status,) = statuses(folder / "results")
    with caplog.at_level(logging.WARNING):
        assert invoke(["report", "leaderboard", "own", "--format", "md"]) == 0
    return [told_by_run(folder), status.note, caplog.text]


def test_data_that_are_as_they_were_are_nothing_to_tell(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, record = record_in(own)
    assert len(str(record.scenario.data.photos)) == 64
    assert "since" not in " ".join(told_everywhere(own, caplog))
    (found,) = verifications([path], results=own / "results", scores=True)
    assert found.level == "re-scored"


@pytest.mark.parametrize("strategy", ["cumulative", "joint"])
def test_what_meets_images_of_several_sessions_at_once_is_scored_again(own: Path, strategy: str) -> None:
    path = run(planned(str(own / "scenarios/own.yaml"), strategy), RunOptions(results=own / "results"))
    (found,) = verifications([path], results=own / "results", scores=True)
    assert (found.level, found.findings) == ("re-scored", ())


def test_a_sample_of_many_photos_is_called_one_wherever_it_vouches(
    own: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "sample of" not in " ".join([*told_everywhere(own, caplog), *capsys.readouterr()])
    monkeypatch.setattr(data_since, "sampled_text", lambda count: f"a sample of {count} photos")
    by_run, by_status, _ = told_everywhere(own, caplog)
    assert "finished. mine.csv: a sample of 24 photos, was compared" in by_run and by_status == "photos sampled"
    assert "mine.csv: a sample of 24 photos, was compared." in capsys.readouterr().err
    assert invoke(["verify", "--scores"]) == 0
    assert "mine.csv: a sample of 24 photos, was compared." in capsys.readouterr().out


def test_replaced_photos_are_told_by_run_status_reports_and_verification(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = own / "scenarios/photos/3.jpg"
    times, content = first.stat(), first.read_bytes()
    first.write_bytes(jpeg((1, 2, 3)))
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a copy does that keeps times
    path, record = record_in(own)
    for text in told_everywhere(own, caplog):
        assert "the photos of its data were changed since" in text
    (found,) = verifications([path], results=own / "results", scores=True)
    assert [finding.field for finding in found.findings] == ["scenario.data.photos"]
    first.write_bytes(content)
    assert changed_since(record) == "", "the bytes count, not when they were written"


def test_replaced_photos_are_told_where_only_the_scenarios_file_says_what_is_meant(
    own: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in a quiet run, in a sweep that has nothing left to do, in a report and in Python, each from elsewhere."""
    put(own / "scenarios/photos/3.jpg", jpeg((1, 2, 3)))
    file, results = str(own / "scenarios/own.yaml"), str(own / "results")
    put(own / "all.yaml", yaml.safe_dump({"scenarios": [file], "strategies": ["naive"], "seeds": [1]}))
    (own / "elsewhere").mkdir()
    monkeypatch.chdir(own / "elsewhere")
    for words in (
        ["run", file, "--seed", "1", "--quiet"],
        ["sweep", str(own / "all.yaml"), "--quiet"],
        ["report", "leaderboard", file],
    ):
        caplog.clear()
        data_since._source.cache_clear()
        with caplog.at_level(logging.WARNING):
            assert invoke([*words, "--results", results]) == 0
        assert "the photos of its data were changed since" in caplog.text, words
    with pytest.warns(clbench.ChangedDataWarning, match="own: the photos of its data were changed since"):
        clbench.run(file, seeds=[1], results=results)


def test_changed_labels_are_told(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = own / "scenarios/mine.csv"
    table.write_text(table.read_text().replace("photos/3.jpg,test,cat", "photos/3.jpg,test,dog"))
    for text in told_everywhere(own, caplog):
        assert "the labels of its data were changed since" in text


def test_data_that_can_no_longer_be_read_are_told(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(own / "scenarios/photos/4.jpg", own / "scenarios/photos/3.jpg")
    for text in told_everywhere(own, caplog):
        assert "its data can no longer be read: mine: 1 photos are in train and in test" in text


def test_a_record_without_photos_is_scored_again_where_there_are_none(own: Path) -> None:
    path, record = record_in(own)
    shutil.rmtree(own / "scenarios/photos")
    assert changed_since(record) == ""
    (found,) = verifications([path], results=own / "results", scores=True)
    assert found.level == "re-scored"


def test_rows_on_other_photos_share_neither_row_nor_table(own: Path) -> None:
    _, record = record_in(own)
    data = msgspec.structs.replace(record.scenario.data, photos="a" * 64)
    other = msgspec.structs.replace(record, scenario=msgspec.structs.replace(record.scenario, data=data), seed=2)
    assert len(group_rows([record, other])) == 2
    assert why_not(record, other).startswith("the digest of the photos differs")
    unknown = msgspec.structs.replace(record.scenario.data, photos=msgspec.UNSET)
    older = msgspec.structs.replace(record, scenario=msgspec.structs.replace(record.scenario, data=unknown))
    assert why_not(record, older) == ""


def test_one_byte_in_the_middle_of_a_large_file_is_another_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    file = put(tmp_path / "large", bytes(200_001))
    before = files_digest(["large"], [file])
    (kept,) = (tmp_path / "cache" / "photos").iterdir()
    kept.write_text("0" + kept.read_text()[1:])
    assert files_digest(["large"], [file]) == before, "what was kept and changed is not believed"
    file.write_bytes(bytes(100_000) + b"x" + bytes(100_000))
    assert files_digest(["large"], [file]) not in (before, "")
    assert files_digest(["gone"], [tmp_path / "gone"]) == ""
