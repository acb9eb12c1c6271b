"""Pins are rewritten in place; everything else in the file stays as its author wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from stream_cases import table

from clbench.errors import UsageError
from clbench.spec.scenario import PinsSpec, load_scenario
from clbench.stream.build import build_stream, check_pins
from clbench.stream.pins.write import main, pin, stand_in_spec, with_pins

TABLE = table("d c b a", {"t1": "a", "t2": "a c", "t3": "b c", "t4": "d"}, {"u1": "a d", "u2": "c", "u3": "b"})
PINS = PinsSpec(images="1" * 64, labels="2" * 64, sessions=["3/4 a b", "5/6 c d"])
PLAIN = """\
# A comment on top.
name: toy   # and one beside
version: 1
title: "A toy"
dataset: toy
labels: {increment: 2}

# What everyone trains with.
train:
  epochs: 2

strategies: [naive]
"""
OLD = PLAIN.replace(
    "\n# What", "\npins:\n  # not the labels: nobody knows them\n  images: abc\n  sessions:\n  - old\n\n# What"
)
WITH_STAND_IN = PLAIN + "stand_in:\n  dataset: scenes\n  # small\n  train:\n    epochs: 1\n"


@pytest.mark.parametrize("text", [PLAIN, OLD, PLAIN.replace("\n", "\r\n"), PLAIN.rstrip("\n")])
def test_pinning_changes_the_pins_and_nothing_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_bytes(text.encode())
    before = load_scenario(path)
    pins = pin(path, table=TABLE, labels=True)
    after = load_scenario(path)
    assert after.pins == pins != before.pins
    assert after.digest() == before.digest()
    assert after.train == before.train
    kept = [
        line
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("pins", "images: abc", "ses", "- old"))
    ]
    assert [line for line in path.read_bytes().decode().splitlines() if line in kept] == kept
    check_pins(build_stream(TABLE, after), after)


def test_pinning_twice_changes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(OLD)
    pin(path, table=TABLE, labels=False)
    first = path.read_text()
    pin(path, table=TABLE, labels=False)
    assert path.read_text() == first
    assert "# not the labels: nobody knows them" in first
    assert load_scenario(path).pins.labels == ""


def test_new_pins_stand_before_the_recipe_and_its_comment() -> None:
    lines = with_pins(PLAIN, pins=PINS).splitlines()
    assert lines.index("pins:") < lines.index("# What everyone trains with.") < lines.index("train:")


def test_a_stand_in_has_pins_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(WITH_STAND_IN)
    pin(path, table=TABLE, labels=True, stand_in=True)
    spec = load_scenario(path)
    assert spec.stand_in is not None
    assert spec.pins == PinsSpec()
    check_pins(build_stream(TABLE, stand_in_spec(spec)), spec.stand_in.pins, source="toy")
    assert spec.stand_in.pins.sessions
    assert spec.stand_in.train == {"epochs": 1}


@pytest.mark.parametrize(
    ("text", "stand_in"),
    [(PLAIN, True), (PLAIN + "stand_in: {dataset: scenes}\n", True), (PLAIN.replace("labels: {", "labels: { "), True)],
)
def test_a_file_whose_pins_have_no_place_is_left_alone(tmp_path: Path, text: str, stand_in: bool) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        pin(path, table=TABLE, labels=True, stand_in=stand_in)
    assert path.read_text() == text


def test_the_command_reports_an_error_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(PLAIN.replace("dataset: toy", "dataset: nowhere"))
    assert main([str(path)]) == 2
    assert main([str(tmp_path / "none.yaml")]) == 1
    shown = capsys.readouterr()
    assert "nowhere" in shown.err
    assert "Traceback" not in shown.err
