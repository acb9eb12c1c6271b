"""80 columns are enough: nothing is broken inside a word, and no row loses what sets it apart."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from record_factory import B40, METHODS, Method, make_record

from clbench.cli.failures import complain
from clbench.cli.group import invoke
from clbench.cli.terminal import output
from clbench.cli.terminal.board import print_board
from clbench.cli.terminal.costs import DISPENSABLE, HEADS
from clbench.cli.terminal.progress import Plain
from clbench.plan.source import stand_in_text
from clbench.records.unfinished import RunStatus
from clbench.report.table.leaderboard import leaderboard
from clbench.train.events import Message


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(output, "on_terminal", lambda: True)


def printed(methods: list[Method], capsys: pytest.CaptureFixture[str], seeds: int = 3) -> list[str]:
    records = [make_record(method, B40, seed=seed) for method in methods for seed in range(seeds)]
    print_board(leaderboard(records, published=False))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_the_stand_in_frame_fits(capsys: pytest.CaptureFixture[str]) -> None:
    output.frame(stand_in_text("coco2014", pictures="scenes"))
    lines = capsys.readouterr().err.splitlines()
    assert {len(line) for line in lines} == {len(lines[0])} and len(lines[0]) <= 80
    assert "clbench data get coco2014" in "".join(lines)


def test_a_table_gives_up_columns_before_it_breaks_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(list(METHODS), capsys)
    words = " ".join(lines).split()
    for method in METHODS:
        assert method.name in words
    assert {"Rank", "Strategy", "mAP", "Marks", "upper-bound"} <= {word.strip(",:") for word in words}
    assert any(line.strip().startswith("Not shown, for want of width: BWT") for line in lines)


def test_settings_stay_where_two_rows_differ_in_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    several = [Method("er", stored=size, fields=(("memory", size),)) for size in (400, 800)]
    assert [f"memory={size}" in " ".join(printed(several, capsys)) for size in (400, 800)] == [True, True]
    several = [Method(name, stored=9, fields=(("memory", 9),)) for name in ("er", "prs", "ocdm")]
    told = [line for line in printed(several, capsys) if "Not shown" in line]
    assert told == [] or "memory=9" not in told[0]


def test_a_cell_too_long_for_any_terminal_is_broken_and_headings_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["strategy", "configuration"], [["x" * 100, "q" * 100]])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert re.search(r"\bstrategy\b.*\bconfiguration\b", "\n".join(lines))
    assert "".join(lines).count("x") == "".join(lines).count("q") == 100


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_dry_run_of_a_sweep_and_its_sum_fit(calibrated: bool, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["5", "2,479,440", "67,242", "243,000", "12,063 MB", "1,412 MB", "12 min 05 s", "11 min 59 s"]
    rows = [["coco_b40c10 · naive · naive.unknown=ignore", "2", "scenes (stand-in)", "to do", *cells]]
    heads = ["run", "seed", "images of", "state", *HEADS]
    output.table(heads, rows, dispensable=DISPENSABLE[calibrated], whole="| less -S")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(rows[0][0] in line and ("12 min 05 s" if calibrated else "67,242") in line for line in lines)
    assert "All of it: | less -S" in " ".join(" ".join(lines).split())


def test_the_status_of_a_run_with_long_names_stands_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = datetime(2026, 1, 2, tzinfo=timezone.utc)
    run = RunStatus("stopped", "coco_b40c10.v1.scenes", "cumulative", "0123abcd", 0, 3, changed, Path("x"))
    monkeypatch.setattr("clbench.records.unfinished.statuses", lambda results: [run])
    assert invoke(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("coco_b40c10.v1.scenes" in line and "cumulative" in line and "0123abcd" in line for line in lines)


def test_sentences_are_broken_at_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("word " * 40, indent="    ")
    first, *rest = capsys.readouterr().out.splitlines()
    assert len(first) <= 80 and all(line.startswith("    word") for line in rest)
    assert set(" ".join([first, *rest]).split()) == {"word"}


@pytest.mark.parametrize("terminal", [True, False])
def test_no_text_moves_the_cursor_or_changes_a_colour(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: terminal)
    odd = "a\x1b[2Kb\x9b1Ac\rd\x07e"
    output.say(odd)
    output.table([odd], [[odd]], title=odd)
    output.frame(odd)
    complain(odd)
    Plain()(Message(odd))
    told = capsys.readouterr()
    text = re.sub(r"\x1b\[[0-9;]*m", "", told.out + told.err)  # clbench's own colours
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert text.count(r"a\x1b[2Kb\x9b1Ac\rd\x07e") == 7
