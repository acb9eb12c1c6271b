"""80 columns are enough: nothing is broken inside a word, and no row loses what sets it apart."""

from __future__ import annotations

import re

import pytest
from record_factory import B40, METHODS, Method, make_record

from clbench.cli.failures import complain
from clbench.cli.terminal import output
from clbench.cli.terminal.board import print_board
from clbench.cli.terminal.progress import Plain
from clbench.plan.source import stand_in_text
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
