"""Records as files: exact round trips, atomic writes, errors that name the field."""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest
import record_factory as factory
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.errors import ResultsError
from clbench.plan.identity import configuration_digest
from clbench.records import record as records
from clbench.records.migrations import MIGRATIONS
from clbench.records.record import (
    RecordError,
    as_rows,
    layout,
    parse_record,
    read_record,
    seal,
    to_plain,
    to_text,
    write_record,
)
from clbench.records.schema import json_schema
from clbench.records.verify.verify import verify, verify_text

FIXTURES = Path(__file__).parent / "fixtures"
TINY = factory.make_record(factory.METHODS[4], factory.TINY)


def broken(path: str, value: object) -> bytes:
    """The text of a record in which one dotted place has another value."""
    plain = to_plain(TINY)
    place = plain
    *parents, last = path.split("/")
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return layout(plain)


def test_a_record_read_back_is_the_record_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "seed0.json"
    sealed = write_record(TINY, path)
    assert read_record(path) == sealed == TINY
    assert path.read_bytes() == to_text(TINY)


def test_writing_leaves_nothing_but_the_record(tmp_path: Path) -> None:
    write_record(TINY, tmp_path / "seed0.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["seed0.json"]


def test_a_write_that_fails_half_way_keeps_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "seed0.json"
    write_record(TINY, path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResultsError, match="No space left"):
        write_record(factory.make_record(factory.METHODS[1], factory.TINY), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["seed0.json"]


def test_a_folder_that_is_a_file_is_a_designed_error(tmp_path: Path) -> None:
    (tmp_path / "er").write_text("")
    with pytest.raises(ResultsError, match="cannot be written") as caught:
        write_record(TINY, tmp_path / "er" / "0123abcd" / "seed0.json")
    assert "--results" in caught.value.hint


def test_the_file_and_then_its_folder_are_flushed_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bool] = []
    real = os.fsync

    def watch(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").is_dir())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    write_record(TINY, tmp_path / "seed0.json")
    assert flushed == [False, True]


def test_one_matrix_row_takes_one_line() -> None:
    lines = to_text(TINY).decode().splitlines()
    start = lines.index('    "growing": [')
    assert all(line.strip().startswith("[") and line.count(",") >= 5 for line in lines[start + 1 : start + 4])


def test_numbers_in_a_list_have_no_blanks_between_them_and_names_do() -> None:
    text = layout(
        {"counts": [[3, 0, 12], [0.5, None, 0.25]], "labels": ["a", "b c"], "cost": [{"seen": 3, "bytes": 4}]}
    )
    assert b"[3,0,12],\n" in text and b"[0.5,null,0.25]\n" in text
    assert b'["a", "b c"]' in text and b'{"seen": 3, "bytes": 4}' in text


@pytest.mark.parametrize("layout_", [factory.B40, factory.B0])
def test_a_record_of_coco_is_of_a_size_that_git_likes(layout_: factory.Layout) -> None:
    assert 30_000 < len(to_text(factory.make_record(layout=layout_))) < 60_000


def test_equal_records_have_equal_text_and_content() -> None:
    again = factory.make_record(factory.METHODS[4], factory.TINY)
    assert to_text(again) == to_text(TINY)


def test_times_do_not_change_the_content_digest_but_numbers_do() -> None:
    sections = factory.sections_of(TINY)
    later = msgspec.structs.replace(TINY.times, started="2027-01-01T00:00:00Z", host="other", total_seconds=9999.0)
    assert factory.sealed(sections | {"times": later}).content == TINY.content
    assert factory.sealed(sections | {"seed": 1}).content != TINY.content


def test_the_configuration_digest_depends_on_all_but_the_seed() -> None:
    base = {"fields": {"memory": 5}, "train": {"lr": 0.1}, "protocol": 1}
    digest = configuration_digest("er", **base)  # type: ignore[arg-type]
    assert digest == configuration_digest("er", **base)  # type: ignore[arg-type]
    for change in ({"fields": {"memory": 6}}, {"train": {"lr": 0.2}}, {"protocol": 2}):
        assert configuration_digest("er", **(base | change)) != digest  # type: ignore[arg-type]
    assert configuration_digest("lwf", **base) != digest  # type: ignore[arg-type]


def test_nan_in_a_matrix_becomes_null_and_back() -> None:
    assert as_rows(np.array([[0.5, np.nan]])) == [[0.5, None]]
    growing = [[math.nan if v is None else v for v in row] for row in TINY.ap.growing]
    again = seal(msgspec.structs.replace(TINY, ap=msgspec.structs.replace(TINY.ap, growing=growing)))
    assert again == TINY


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_refused_by_name(value: float) -> None:
    strategy = msgspec.structs.replace(TINY.strategy, fields={"alpha": [value]})
    with pytest.raises(ResultsError, match=r"strategy\.fields\.alpha\[0\]"):
        seal(msgspec.structs.replace(TINY, strategy=strategy))


def test_notes_may_have_several_lines() -> None:
    record = seal(msgspec.structs.replace(TINY, notes={"ewc": "an Avalanche plugin,\nas it is"}))
    assert parse_record(to_text(record), source="x.json") == record


def test_what_does_not_fit_the_schema_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="seed"):
        write_record(msgspec.structs.replace(TINY, seed=-1), tmp_path / "seed0.json")
    with pytest.raises(RecordError, match="unsupported"):
        write_record(msgspec.structs.replace(TINY, train={"lr": np.int64(1)}), tmp_path / "seed0.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("seed", "0", "seed"),
        ("seed", -1, "seed"),
        ("seed", None, "seed"),
        ("ap/fixed/1/0", 1.5, "ap.fixed"),
        ("ap/fixed/1/0", "0.5", "ap.fixed"),
        ("ap/extra", [], "ap.extra"),
        ("counts/0.5/tp/0/0", -3, "counts"),
        ("configuration", "abc", "configuration"),
        ("scenario/stand_in", 1, "scenario.stand_in"),
        ("surprise", 1, "surprise"),
        ("labels/0", "two\nlines", "labels"),
        ("notes/x", 5, "notes"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(path: str, value: object, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(broken(path, value), source="some/seed0.json")
    assert caught.value.field.startswith(field)
    assert str(caught.value).startswith("some/seed0.json: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("scenario/name", "../coco"),
        ("scenario/name", "/etc"),
        ("scenario/name", "a/b"),
        ("scenario/name", "coco_b40c10\n"),
        ("scenario/name", ".hidden"),
        ("scenario/dataset", "../../data"),
        ("scenario/dataset", "/data"),
        ("scenario/dataset", "C:\\data"),
        ("scenario/data/name", "../x"),
        ("strategy/name", "../er"),
        ("strategy/name", "/er"),
        ("strategy/name", "er\n"),
        ("scores/0/file", "../../../etc/passwd"),
        ("scores/0/file", "/etc/passwd"),
        ("scores/0/file", "sub/scores.npy"),
        ("scores/0/file", ".."),
        ("scores/0/file", "a\\b"),
        ("marks", ["../up"]),
    ],
)
def test_a_strangers_record_cannot_name_a_place_outside_its_folder(path: str, value: object) -> None:
    with pytest.raises(RecordError) as caught:
        parse_record(broken(path, value), source="stranger.json")
    assert path.split("/")[-1] in caught.value.field or path.split("/")[0] in caught.value.field


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1}', b'{"schema": true}']
)
def test_a_file_that_is_no_record_is_an_error_and_no_crash(text: bytes) -> None:
    with pytest.raises(RecordError, match=r"^x\.json: "):
        parse_record(text, source="x.json")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_cut_or_garbled_record_ever_crashes_the_reader(data: st.DataObject) -> None:
    text = bytearray(to_text(TINY))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        parse_record(bytes(text), source="x.json")
    except RecordError as error:
        assert error.field and error.problem


def test_a_newer_schema_asks_for_a_newer_clbench() -> None:
    with pytest.raises(RecordError, match="schema: 99 is not one that this clbench reads") as caught:
        parse_record(broken("schema", 99), source="x.json")
    assert "pip install -U" in caught.value.hint


def test_an_absurdly_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LARGEST", 100)
    (tmp_path / "seed0.json").write_bytes(to_text(TINY))
    with pytest.raises(ResultsError, match="more than 100 bytes"):
        read_record(tmp_path / "seed0.json")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No such file"):
        read_record(tmp_path / "seed7.json")


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_every_schema_ever_written_stays_readable_and_verifies(path: Path) -> None:
    record = read_record(path)
    assert record.labels
    assert verify(path).findings == ()


def test_there_is_a_committed_record_of_every_schema() -> None:
    kept = {int(path.stem.removeprefix("schema").split("-")[0]) for path in FIXTURES.glob("schema*.json")}
    assert kept == set(MIGRATIONS)


def test_a_record_of_the_first_schema_says_what_it_said(tmp_path: Path) -> None:
    """Values read off the committed file; it was written by the version that knew that schema."""
    text = (FIXTURES / "schema1-tiny.json").read_bytes()
    old, record = msgspec.json.decode(text), parse_record(text, source="old.json")
    assert (old["schema"], record.schema) == (1, 2)
    new = to_plain(record)
    assert new["times"].pop("digest") == old["hashes"]["times"]
    apart = ("schema", "hashes")
    assert {k: v for k, v in new.items() if k not in apart} == {k: v for k, v in old.items() if k not in apart}
    # written anew it keeps its content, so that it is the same run to whoever compares
    again = write_record(record, tmp_path / "seed0.json")
    assert again == record and again.content == old["content"]
    assert verify(tmp_path / "seed0.json").findings == ()
    assert len(to_text(record)) < 0.8 * len(text)


def test_any_change_to_a_record_of_the_first_schema_is_found_and_named() -> None:
    text = (FIXTURES / "schema1-tiny.json").read_text()
    for line, old, new, field in [
        ('"seed": ', "0", "1", "seed"),
        ('"total_seconds"', ".", ".1", "times.total_seconds"),
        ('"epochs": ', "2", "3", "train.epochs"),
        ('"hashes": {', '": "', '": "0', "schema"),
        ('"content": "', '": "', '": "0', "content"),
    ]:
        place = text.index(old, text.index(line) + len(line) - 4)
        findings = verify_text((text[:place] + new + text[place + len(old) :]).encode()).findings
        assert findings and field in [finding.field for finding in findings], line


def test_an_older_schema_is_brought_up_to_date_through_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_seven(plain: dict[str, object]) -> dict[str, object]:
        plain["seed"] = plain.pop("random_seed")
        return plain | {"schema": records.SCHEMA}

    plain = to_plain(TINY)
    plain["random_seed"] = plain.pop("seed")
    monkeypatch.setitem(MIGRATIONS, 7, from_seven)
    assert parse_record(msgspec.json.encode(plain | {"schema": 7}), source="old.json") == TINY


def test_the_published_json_schema_is_current() -> None:
    published = Path(__file__).parents[2] / "docs" / "record.schema.json"
    command = (
        "from pathlib import Path; from clbench.records.schema import json_schema;"
        " Path('docs/record.schema.json').write_bytes(json_schema())"
    )
    assert published.read_bytes() == json_schema(), f'run: python -c "{command}"'


def test_a_record_that_does_not_name_its_schema_is_unverified() -> None:
    plain = records.to_plain(factory.make_record(factory.METHODS[4], factory.TINY))
    del plain["schema"]
    outcome = verify_text(msgspec.json.encode(plain))
    assert [(finding.field, finding.problem) for finding in outcome.findings] == [("schema", "missing")]
