"""Pins stand in a file beside the scenario, which names it; everything else in it stays as its author wrote it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from stream_cases import table

from clbench.errors import UsageError
from clbench.spec.scenario import PinsSpec, load_scenario
from clbench.stream.build import build_stream, check_pins
from clbench.stream.pins.write import main, pin, stand_in_spec, with_pins_named

TABLE = table("d c b a", {"t1": "a", "t2": "a c", "t3": "b c", "t4": "d"}, {"u1": "a d", "u2": "c", "u3": "b"})
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
        line.strip()
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith(("pins", "images: abc", "ses", "- old"))
    ]
    lines = [line.strip() for line in path.read_bytes().decode().splitlines()]
    assert [line for line in lines if line in kept] == kept
    check_pins(build_stream(TABLE, after), after)


def test_pinning_twice_changes_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(OLD)
    pin(path, table=TABLE, labels=False)
    first, pins = path.read_text(), (tmp_path / "toy.pins.json").read_text()
    pin(path, table=TABLE, labels=False)
    assert (path.read_text(), (tmp_path / "toy.pins.json").read_text()) == (first, pins)
    assert "# not the labels: nobody knows them" in first and "images" not in first
    assert load_scenario(path).pins.labels == ""


def test_new_pins_stand_before_the_recipe_and_its_comment() -> None:
    lines = with_pins_named(PLAIN, "toy.pins.json").splitlines()
    assert lines.index("pins: toy.pins.json") < lines.index("# What everyone trains with.") < lines.index("train:")


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


def test_pins_of_data_and_stand_in_that_stood_in_the_scenario_move_together(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    inner = "stand_in:\n  dataset: scenes\n  pins:\n    images: def\n  # small\n  train:\n    epochs: 1\n"
    path.write_text(OLD + inner)
    before = load_scenario(path)
    pin(path, table=TABLE, labels=True)
    after = load_scenario(path)
    assert after.stand_in is not None and before.stand_in is not None and after.pins != before.pins
    assert after.stand_in.pins.images == before.stand_in.pins.images == "def"
    assert after.stand_in.train == before.stand_in.train
    assert "images" not in path.read_text().replace("images: any", "")


def test_pins_inside_a_scenario_are_read_as_before(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(OLD)
    assert load_scenario(path).pins == PinsSpec(images="abc", sessions=["old"])
    (tmp_path / "toy.pins.json").write_text('{"images": "abc"}')
    with pytest.raises(UsageError, match="pins stand in it and in"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read"),
        ("{", "not readable as JSON"),
        ('{"imges": "a"}', "unknown field `imges`"),
        ('{"images": 3}', "Expected `str`, got `int` - at `images`"),
        ('{"stand_in": {"images": "a"}}', "of a stand-in it lacks"),
    ],
)
def test_a_file_of_pins_that_is_missing_or_damaged_is_an_error(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(with_pins_named(PLAIN, "toy.pins.json"))
    if text is not None:
        (tmp_path / "toy.pins.json").write_text(text)
    with pytest.raises(UsageError, match=re.escape(told)) as caught:
        load_scenario(path)
    assert "toy.pins.json" in str(caught.value)


def test_a_scenario_reads_no_pins_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(with_pins_named(PLAIN, "../other.pins.json"))
    with pytest.raises(UsageError, match="not the name of a file beside"):
        load_scenario(path)


@pytest.mark.parametrize(("text", "stand_in"), [(PLAIN, True), (PLAIN + '"pins": {images: abc}\n', False)])
def test_a_file_whose_pins_have_no_place_is_left_alone(tmp_path: Path, text: str, stand_in: bool) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        pin(path, table=TABLE, labels=True, stand_in=stand_in)
    assert path.read_text() == text and not (tmp_path / "toy.pins.json").exists()


def test_the_command_reports_an_error_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(PLAIN.replace("dataset: toy", "dataset: nowhere"))
    assert main([str(path)]) == 2
    assert main([str(tmp_path / "none.yaml")]) == 2
    shown = capsys.readouterr()
    assert "nowhere" in shown.err
    assert "Traceback" not in shown.err
