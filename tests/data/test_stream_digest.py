"""Digests: blind to row order, awake to every change; pins name what differs."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stream_cases import scenario, shuffled, splits, table, tables

from clbench.data.table import LabelTable
from clbench.errors import DataError, UsageError
from clbench.spec.scenario import LabelsSpec, PinsSpec, ScenarioSpec, ValidationSpec
from clbench.stream.build import build_stream, check_pins
from clbench.stream.pins.write import pins_of
from clbench.stream.stream import Stream

TRAIN = {"t1": "a", "t2": "a c", "t3": "b c", "t4": "d", "t5": "c d"}
TEST = {"u1": "a d", "u2": "c", "u3": "b"}


def toy(train: dict[str, str] | None = None, test: dict[str, str] | None = None, **fields: object) -> Stream:
    return build_stream(table("d c b a", train or TRAIN, test or TEST), scenario(**fields))


def pinned(stream: Stream, *, labels: bool) -> ScenarioSpec:
    return scenario(pins=pins_of(stream.digest(), labels=labels))


@given(tables(), splits, st.integers(0, 2**32 - 1))
def test_digests_ignore_the_order_of_the_rows(given_table: LabelTable, labels: LabelsSpec, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(given_table))
    spec = scenario(labels=labels)
    assert build_stream(given_table, spec).digest() == build_stream(shuffled(given_table, order), spec).digest()


@given(tables(), splits, st.integers(0, 2**32 - 1))
def test_a_changed_label_value_changes_the_labels_digest(
    given_table: LabelTable, labels: LabelsSpec, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stream = build_stream(given_table, scenario(labels=labels))
    shown = [(int(row), int(stream.order[c])) for s in stream.sessions for row in s.rows for c in range(6)[s.new]]
    shown += [(int(row), column) for row in stream.test_rows for column in range(6)]
    row, column = shown[rng.integers(len(shown))]
    y, member = given_table.y.copy(), given_table.member.copy()
    y[row, column] = (y[row, column] + 2) % 3 - 1
    # the pool stays the same wherever it may, so that the image ids do
    member[row, column] |= y[row, column] == 1
    same_images = bool((member == given_table.member).all())
    try:
        other = build_stream(dataclasses.replace(given_table, y=y, member=member), scenario(labels=labels))
    except DataError:
        assume(False)
    before, after = stream.digest(), other.digest()
    assert before.labels != after.labels
    if same_images:
        assert before.images == after.images
        assert [line.split()[:3] for line in before.per_session] == [line.split()[:3] for line in after.per_session]


@given(tables(), splits, st.integers(0, 2**32 - 1))
def test_a_changed_id_changes_both_digests(given_table: LabelTable, labels: LabelsSpec, seed: int) -> None:
    stream = build_stream(given_table, scenario(labels=labels))
    used = np.concatenate([stream.test_rows, *(s.rows for s in stream.sessions)])
    ids = given_table.ids.astype("<U12")
    ids[np.random.default_rng(seed).choice(used)] += "xyz"
    other = build_stream(dataclasses.replace(given_table, ids=ids), scenario(labels=labels))
    assert stream.digest().images != other.digest().images
    assert stream.digest().labels != other.digest().labels


def test_everything_that_makes_a_stream_is_in_its_digest() -> None:
    changed = {
        "nothing": toy(),
        "label order": toy(labels=LabelsSpec(order="official", increment=2)),
        "session sizes": toy(labels=LabelsSpec(base=2, increment=1)),
        "disjoint": toy({**TRAIN, "t2": "a", "t3": "b", "t5": "c"}),
        "a train image less": toy({key: value for key, value in TRAIN.items() if key != "t1"}),
        "a test image less": toy(TRAIN, {key: value for key, value in TEST.items() if key != "u1"}),
        "columns shown": toy(visible="all"),
        "test sets": build_stream(table("d c b a", TRAIN, TEST), scenario(test="all")),
        "validation": toy(validation=ValidationSpec(fraction=0.2), images="all"),
    }
    found = [stream.digest().images for stream in changed.values()]
    assert len(set(found)) == len(found)
    assert toy(visible="seen").digest().images == toy().digest().images
    assert toy(visible="seen").digest().labels != toy().digest().labels


def sha(head: list[object], *bodies: bytes) -> str:
    text = json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode()
    return hashlib.sha256(text + b"".join(b"\n%d\n%s" % (len(body), body) for body in bodies)).hexdigest()


def test_the_digests_are_what_the_documentation_says() -> None:
    """If this fails, every published pin is void: name a new protocol in `clbench.stream.stream`."""
    hidden = b"\xff\xff"
    first = sha([["a", "b"], 2], b"t1\nt2\nt3", b"u1\nu3")
    second = sha([["c", "d"], 4], b"t2\nt3\nt4\nt5", b"u1\nu2\nu3")
    images = sha(["clbench stream 1", ["a", "b", "c", "d"], [first, second]], b"u1\nu2\nu3", b"")
    labels = [
        sha([first], bytes([1, 0, 1, 0, 0, 1])),
        sha([second], b"".join(hidden + bytes(pair) for pair in [(1, 0), (1, 0), (0, 1), (1, 1)])),
    ]
    truth = bytes([1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0])
    found = toy().digest()
    assert found.images == images
    assert found.labels == sha(["clbench stream 1", ["a", "b", "c", "d"], images, labels], truth)
    assert [line.split()[0] for line in found.per_session] == ["3/2", "4/3"]
    assert [line.split()[1] for line in found.per_session] == [first[:16], second[:16]]
    assert [line.split()[3] for line in found.per_session] == [text[:16] for text in labels]


def test_the_sketch_of_a_known_session_is_frozen() -> None:
    wanted = "dDAAAAAAAABEKnQzAAAAAAAAJMx0MQAAAAAAAKUI" + 120 * "A"
    assert toy().digest().per_session[0].split()[2] == wanted


def test_a_stream_that_is_the_pinned_one_passes() -> None:
    for labels in (False, True):
        check_pins(toy(), pinned(toy(), labels=labels))
    check_pins(toy({"t1": "a b", "t2": "c d"}), scenario())


def check(stream: Stream, *, labels: bool = False) -> str:
    with pytest.raises(DataError) as error:
        check_pins(stream, pinned(toy(), labels=labels))
    return error.value.message


def test_a_missing_train_image_is_named_with_its_first_session() -> None:
    message = check(toy({key: value for key, value in TRAIN.items() if key != "t5"}))
    assert message == (
        "toy: this is not the pinned stream: session 1 has 3 train and 3 test images, pinned are 4 train and 3 test "
        "images; image 't5' is missing."
    )


def test_an_image_too_many_is_named() -> None:
    assert "session 0 has 4 train and 2 test images" in (message := check(toy({**TRAIN, "t9": "b"})))
    assert "image 't9' is not pinned" in message


def test_a_test_image_that_moved_is_named_with_the_session_it_left() -> None:
    message = check(toy(TRAIN, {**TEST, "u2": "b"}))
    assert "session 0 has 2 train and 3" not in message
    assert "session 0 has 3 train and 3 test images, pinned are 3 train and 2 test images" in message
    assert "image 'u2' is not pinned" in message


def test_a_changed_label_value_is_named_with_image_and_label() -> None:
    changed = table("d c b a", {**TRAIN, "t5": "c"}, TEST, pool={"t5": "d"})
    message = check(build_stream(changed, scenario()), labels=True)
    assert "session 1 has 4 train and 3 test images, as pinned, but not the same" in message
    assert "the label 'd' of image 't5' differs" in message


def test_a_changed_test_label_is_found_though_the_sessions_agree() -> None:
    message = check(toy(TRAIN, {**TEST, "u3": "a b"}), labels=True)
    assert message.endswith("all pinned sessions agree, but not the test truth.")


def test_another_number_of_sessions_is_said() -> None:
    assert "it has 4 sessions, pinned are 2" in check(toy(labels=LabelsSpec(increment=1)))


def test_a_pin_without_session_lines_still_stops() -> None:
    spec = scenario(pins=PinsSpec(images="0" * 64))
    with pytest.raises(DataError, match="no session is pinned"):
        check_pins(toy(), spec)


@pytest.mark.parametrize(
    "line", ["nonsense", "a/b 0123456789abcdef AAAA", "3/2 0123456789abcdef !!!!", "3/2 0123456789abcdef AAAA"]
)
def test_a_damaged_session_line_is_a_usage_error(line: str) -> None:
    pins = msgspec.structs.replace(pins_of(toy().digest(), labels=False), images="0" * 64, sessions=[line, line])
    with pytest.raises(UsageError, match=r"pins.sessions\[0\]"):
        check_pins(toy(), scenario(pins=pins))
