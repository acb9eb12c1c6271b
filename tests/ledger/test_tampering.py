"""Any digit flipped anywhere in a record is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import record_factory as factory
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.records.json_paths import join, path_at
from clbench.records.record import Record, changed_parts, seal, to_plain, to_text, write_record
from clbench.records.store import record_path
from clbench.records.verify.consistency import check_record
from clbench.records.verify.findings import Finding
from clbench.records.verify.verify import verify, verify_all, verify_text

TINY = factory.make_record(factory.METHODS[4], factory.TINY)
TEXT = to_text(TINY)
DIGITS = [place for place, byte in enumerate(TEXT) if 48 <= byte <= 57]


def text_findings(text: bytes) -> tuple[Finding, ...]:
    return verify_text(text).findings


def flipped(text: bytes, place: int, *, by: int) -> bytes:
    return text[:place] + bytes([48 + (text[place] - 48 + by) % 10]) + text[place + 1 :]


def places_of_every_field() -> Iterator[tuple[str, int]]:
    """The first and the last digit of every field that has one: scalars, cells, keys and digests alike."""
    found: dict[str, list[int]] = {}
    for place in DIGITS:
        found.setdefault(path_at(TEXT, place), []).append(place)
    for path, places in found.items():
        yield from {(path, places[0]), (path, places[-1])}


def test_an_untouched_record_has_nothing_to_report() -> None:
    assert text_findings(TEXT) == ()


@pytest.mark.parametrize(("part", "key"), [((), "content"), (("times",), "digest")])
def test_a_record_without_its_digest_is_named_and_stops_nothing(part: tuple[str, ...], key: str) -> None:
    plain = to_plain(TINY)
    where = plain
    for name in part:
        where = where[name]
    del where[key]
    assert ".".join([*part, key]) in {finding.field for finding in text_findings(msgspec.json.encode(plain))}


def test_a_flipped_digit_in_every_field_is_found() -> None:
    places = list(places_of_every_field())
    assert len(places) > 300
    assert [field for field, place in places if not text_findings(flipped(TEXT, place, by=1))] == []


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DIGITS), st.integers(1, 9))
def test_any_flipped_digit_is_found(place: int, by: int) -> None:
    findings = text_findings(flipped(TEXT, place, by=by))
    assert findings and all(finding.field and finding.problem for finding in findings)


@pytest.mark.slow
@pytest.mark.parametrize("others", ["one", pytest.param("all", marks=pytest.mark.exhaustive)])
def test_every_digit_of_a_record_changed_to_another_digit_is_found(others: str) -> None:
    missed = [
        (path_at(TEXT, place), by)
        for place in DIGITS
        for by in (range(1, 10) if others == "all" else [1 + place % 9])
        if not text_findings(flipped(TEXT, place, by=by))
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("line", "old", "new", "field"),
    [
        ('"stored_images": 40, "stored_bytes"', "40", "41", "content"),
        ('"seed": 0', "0", "1", "content"),
        ('"epochs": 20', "20", "21", "content"),
        ('"total_seconds"', "2280", "2281", "times.digest"),
        ('"peak_memory_bytes"', "9663676416", "9663676417", "times.digest"),
        ('"train_images": 40', "40", "41", "content"),
    ],
)
def test_what_the_run_decided_is_told_from_when_and_where_it_ran(line: str, old: str, new: str, field: str) -> None:
    text = TEXT.decode()
    place = text.index(old, text.index(line))
    findings = text_findings((text[:place] + new + text[place + len(old) :]).encode())
    assert findings[0].field == field


@pytest.mark.parametrize(("draws", "times"), [(1, 1), (3, 3), (msgspec.UNSET, 2)])
def test_more_images_seen_than_a_session_and_its_memory_can_show_are_named(draws: object, times: int) -> None:
    record = factory.make_record(factory.METHODS[0], factory.TINY)
    (first, *others), session = record.costs, record.scenario.sessions[0]
    rounds = record.train.get("base_epochs") or record.train["epochs"]
    most = session.train_images * rounds + times * 7 * 10
    strategy = msgspec.structs.replace(record.strategy, draws=draws)
    for seen, wrong in ((most, []), (most + 1, ["costs[0].images_seen"])):
        cost = msgspec.structs.replace(first, images_seen=seen, stored_images=7, steps=10)
        forged = factory.sections_of(record) | {"costs": [cost, *others], "strategy": strategy}
        assert [finding.field for finding in check_record(factory.sealed(forged))] == wrong


@pytest.mark.parametrize(("per_class", "allowed"), [(False, 5), (True, 5 * len(TINY.labels))])
def test_more_stored_images_than_the_field_says_are_named(per_class: bool, allowed: int) -> None:
    record = TINY
    changed = {"memory": 5, "per_class": per_class}
    fields = record.strategy.fields | changed
    strategy = msgspec.structs.replace(record.strategy, fields=fields, changed=changed)
    for stored, wrong in ((allowed, []), (allowed + 1, ["costs[1].stored_images"])):
        costs = [
            msgspec.structs.replace(cost, stored_images=stored if cost.session == 1 else 0) for cost in record.costs
        ]
        forged = factory.sections_of(record) | {"costs": costs, "strategy": strategy}
        assert [finding.field for finding in check_record(factory.sealed(forged))] == wrong


def test_a_changed_matrix_contradicts_the_summary() -> None:
    plain = to_plain(TINY)
    plain["ap"]["fixed"][2][1] += 0.25
    found = [finding.field for finding in text_findings(msgspec.json.encode(plain))]
    assert found[0] == "content" and "summary.last_map_fixed" in found


def test_a_digit_beyond_the_precision_of_a_number_is_found() -> None:
    number = next(v for row in TINY.ap.growing for v in row if v is not None and len(repr(v)) == 19)
    text = TEXT.replace(repr(number).encode(), f"{number!r}1".encode(), 1)
    assert parse_equal(text), "the number itself must not have changed"
    findings = text_findings(text)
    assert findings[0].field.startswith("ap.growing[")
    assert "the way clbench writes" in findings[0].problem


def parse_equal(text: bytes) -> bool:
    return bool(msgspec.json.decode(text) == msgspec.json.decode(TEXT))


def test_a_key_given_twice_is_found_though_the_last_one_wins() -> None:
    text = TEXT.replace(b'  "seed": 0,\n', b'  "seed": 9,\n  "seed": 0,\n')
    assert parse_equal(text)
    assert text_findings(text)[0].field == "seed"


def test_a_forged_digest_is_found() -> None:
    plain = to_plain(TINY)
    forged = changed_parts(plain | {"content": "0" * 64}) + changed_parts(
        plain | {"times": plain["times"] | {"digest": "0" * 64}}
    )
    assert [field for field, _ in forged] == ["content", "times.digest"]
    assert changed_parts(plain) == []


# ---- whoever makes the digests anew must still make the numbers agree


def resealed(**changes: object) -> bytes:
    return to_text(seal(msgspec.structs.replace(TINY, **changes)))


@pytest.mark.parametrize("name", sorted(TINY.summary))
def test_a_better_summary_with_new_digests_is_found(name: str) -> None:
    told = TINY.summary[name] or 0.0
    findings = text_findings(resealed(summary=TINY.summary | {name: told + 1e-9}))
    assert [finding.field for finding in findings] == [join("summary", name)]


def test_better_average_precisions_with_new_digests_are_found() -> None:
    fixed = [[None if v is None else min(1.0, v + 0.01) for v in row] for row in TINY.ap.fixed]
    fields = [finding.field for finding in text_findings(resealed(ap=msgspec.structs.replace(TINY.ap, fixed=fixed)))]
    assert {"summary.average_map_fixed", "summary.last_map_fixed"} <= set(fields)


def test_better_counts_with_new_digests_are_found() -> None:
    part = TINY.counts["0.5"]
    better = msgspec.structs.replace(part, tp=[[None if v is None else v + 1 for v in row] for row in part.tp])
    fields = [finding.field for finding in text_findings(resealed(counts=TINY.counts | {"0.5": better}))]
    assert fields[0].startswith("counts[0.8].fn")  # the number of positives no longer agrees


def test_a_hidden_mark_is_found() -> None:
    assert [f.field for f in text_findings(resealed(marks=[]))] == ["marks"]
    for dirty in (True, None):
        code = msgspec.structs.replace(TINY.code, dirty=dirty)
        assert [f.field for f in text_findings(resealed(code=code))] == ["marks"]


def test_another_recipe_under_the_same_configuration_is_found() -> None:
    fields = [finding.field for finding in text_findings(resealed(train=TINY.train | {"epochs": 2}))]
    assert fields == ["configuration"]


def altered(record: Record, path: str, value: object) -> Record:
    plain = to_plain(record)
    place = plain
    *parents, last = path.split("/")
    for key in parents:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[int(last) if isinstance(place, list) else last] = value
    return seal(msgspec.convert(plain, Record))


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("labels/1", "unicorn", "labels[1]"),
        ("learned/1", 1, "learned[1]"),
        ("ap/growing/0/4", 0.5, "ap.growing[0][4]"),
        ("ap/fixed", [[0.5] * 6], "ap.fixed"),
        ("ap/fixed/1", [0.5], "ap.fixed[1]"),
        ("counts/0.5/tp/0/4", 3, "counts[0.5].tp[0][4]"),
        ("counts/0.5/fp/0/0", 4000, "counts[0.5].fp[0][0]"),
        ("costs/1/session", 2, "costs[1].session"),
        ("costs/1/trainable", 10**12, "costs[1].trainable"),
        ("scores/1/session", 2, "scores[1].session"),
        ("times/total_seconds", 1.0, "times.total_seconds"),
        ("strategy/changed", {"memory": 5}, "strategy.changed.memory"),
        ("summary/flattery", 1.0, "summary.flattery"),
        ("ap/growing/0/0", None, "counts[0.5].fn[0][0]"),
    ],
)
def test_sections_that_contradict_each_other_are_found(path: str, value: object, field: str) -> None:
    findings = text_findings(to_text(altered(TINY, path, value)))
    assert field in [finding.field for finding in findings]


# ---- verify on files


def test_a_whole_folder_is_verified_and_a_record_astray_is_found(tmp_path: Path) -> None:
    for seed in range(3):
        record = factory.make_record(factory.METHODS[4], factory.TINY, seed=seed)
        write_record(record, record_path(tmp_path, record))
    folder = record_path(tmp_path, TINY).parent
    (folder / "seed1.json").rename(folder / "seed7.json")
    outcomes = verify_all(tmp_path)
    assert [(item.path.name, item.level) for item in outcomes if item.path] == [
        ("seed0.json", "consistent"),
        ("seed2.json", "consistent"),
        ("seed7.json", "unverified"),
    ]
    assert "belongs to" in outcomes[2].findings[0].problem


def test_verify_reports_damage_instead_of_raising(tmp_path: Path) -> None:
    assert verify(tmp_path / "none.json").findings[0].field == "the file"
    (tmp_path / "bad.json").write_bytes(TEXT[:2000])
    assert not verify(tmp_path / "bad.json").ok
    (tmp_path / "good.json").write_bytes(TEXT)
    assert verify(tmp_path / "good.json").level == "consistent"


@pytest.mark.parametrize(
    ("text", "part", "path"),
    [
        (b'{"a": {"b": [1, [2, 3]]}}', b"3", "a.b[1][1]"),
        (b'{"a": [{"x": 1}, {"y": "q,}]"}]}', b"q,", "a[1].y"),
        (b'{"a": 1, "0.5": {"tp": [7]}}', b"7", "[0.5].tp[0]"),
        (b'{"a": {"k9": 1}, "z": 2}', b"k9", "a.k9"),
        (b'{"a": 1, "z": 2', b"2", "z"),
        (b"[10, 20, 30]", b"30", "[2]"),
        (b'{"a\\"b": 5}', b"5", '[a\\"b]'),
    ],
)
def test_the_place_of_a_byte_is_found_in_any_json(text: bytes, part: bytes, path: str) -> None:
    assert path_at(text, text.index(part)) == path
