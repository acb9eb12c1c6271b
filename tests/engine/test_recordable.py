"""What no record could hold is refused before the first step."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tiny_scenarios import planned, scenario

from clbench.errors import RunError, UsageError
from clbench.plan.plan import Plan
from clbench.records.record import Record, read_record
from clbench.records.verify.verify import verify
from clbench.train.events import Event, SessionStarted
from clbench.train.run import RunOptions, run

OWN = '"""{title}"""\nfrom clbench import Strategy\n\n\nclass Own(Strategy):\n    "{title}"\n{body}'


def refused(wanted: Plan, results: Path, *, error: type[Exception] = UsageError) -> str:
    """Carry out a plan that must be refused before a session starts; return what is said."""
    started: list[Event] = []

    def look(event: Event) -> None:
        if isinstance(event, SessionStarted):
            started.append(event)

    with pytest.raises(error) as told:
        run(wanted, RunOptions(results=results, device="cpu"), watch=look)
    assert not started and not list(results.rglob("*.json"))
    return str(told.value)


def own(folder: Path, *, title: str = "Mine.", body: str = "") -> Plan:
    path = folder / f"{folder.name}.py"  # modules of two tests may not share a name
    path.write_text(OWN.format(title=title, body=body), encoding="utf-8")
    return planned(scenario(folder), str(path))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("    def marks(self):\n        return ['Two words']\n", "marks[0]"),
        ("    def notes(self):\n        return {'rows': 'a\\x1bb'}\n", "notes"),
        ("    def notes(self):\n        return {'rows': 'x' * 20_001}\n", "notes"),
    ],
)
def test_marks_and_notes_of_a_strategy(body: str, field: str, tmp_path: Path) -> None:
    told = refused(own(tmp_path, body=body), tmp_path / "results")
    assert "seed 1: no record could hold this run" in told and field in told


@pytest.mark.parametrize(
    ("part", "value", "field"),
    [
        ("entry", {"title": "T" * 4001}, "strategy.title"),
        ("entry", {"title": "a\x07b"}, "strategy.title"),
        ("scenario", {"title": "two\nlines"}, "scenario.title"),
    ],
)
def test_titles_and_names(part: str, value: dict[str, Any], field: str, tmp_path: Path) -> None:
    wanted = own(tmp_path)
    replace: Any = msgspec.structs.replace if part == "scenario" else dataclasses.replace
    changed = replace(getattr(wanted, part), **value)
    assert field in refused(dataclasses.replace(wanted, **{part: changed}), tmp_path / "results")


def test_a_field_that_json_has_no_number_for(tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), "er")
    strange = dataclasses.replace(wanted, train=msgspec.structs.replace(wanted.train, clip=float("inf")))
    assert "train.clip" in refused(strange, tmp_path / "results")


def test_notes_that_are_not_there_yet_do_not_stop_a_run(tmp_path: Path) -> None:
    body = "    def notes(self):\n        return {'rows': str(len(self.kept))}\n"
    body += "    def end_session(self, session):\n        self.kept = session.rows\n"
    assert run(own(tmp_path, body=body), RunOptions(results=tmp_path / "results", device="cpu")).exists()


def test_marks_that_are_no_list_are_still_named_as_that(tmp_path: Path) -> None:
    wanted = own(tmp_path, body="    def marks(self):\n        return 'leak'\n")
    assert "expected a list of words" in refused(wanted, tmp_path / "results", error=RunError)


def told_late(folder: Path, body: str) -> Record:
    """Carry out a run whose strategy says something else when all sessions are over."""
    body = "    over = False\n\n    def end_session(self, session):\n        self.over = session.index == 2\n" + body
    return read_record(run(own(folder, body=body), RunOptions(results=folder / "results", device="cpu")))


@pytest.mark.parametrize(
    "value", ["{'a': '\\ud800'}", "{'a': 'x' * 20_001}", "{'a\\0b': ''}", "{'a': 1}", "None", "1 / 0"]
)
def test_a_note_that_no_record_can_hold_at_the_end_throws_no_training_away(value: str, tmp_path: Path) -> None:
    record = told_late(tmp_path, f"    def notes(self):\n        return {value} if self.over else {{}}\n")
    assert record.notes["notes() left out"] and "a" not in record.notes and "marks-unknown" not in record.marks
    assert verify(next((tmp_path / "results").rglob("seed1.json"))).ok


@pytest.mark.parametrize("value", ["['Two words']", "'word'", "['a', 1]", "1 / 0"])
def test_marks_that_are_lost_at_the_end_are_a_mark(value: str, tmp_path: Path) -> None:
    record = told_late(tmp_path, f"    def marks(self):\n        return {value} if self.over else []\n")
    assert "marks-unknown" in record.marks and record.notes["marks() left out"]


@pytest.mark.parametrize("value", ["4", "'\\ud800'", "float('nan')", "[{2}]"])
def test_a_field_that_changes_is_named_after_the_session_and_not_in_the_record(value: str, tmp_path: Path) -> None:
    body = f"    size: int = 3\n\n    def end_session(self, session):\n        self.size = {value}\n"
    wanted = own(tmp_path, body=body)
    ended: list[Event] = []
    with pytest.raises(RunError, match=r"the field size was 3 and is .* after session 0"):
        run(wanted, RunOptions(results=tmp_path / "results", device="cpu"), watch=ended.append)
    assert sum(isinstance(event, SessionStarted) for event in ended) == 1
