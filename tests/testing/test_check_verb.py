"""`clbench check` on the command line, and the battery from Python and from pytest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clbench import Strategy
from clbench.cli.group import invoke
from clbench.errors import CheckError, UsageError
from clbench.testing import CHECKS, ConformanceError, Subject, check_strategy, examine, parametrize_with_checks, require

BROKEN = Path(__file__).with_name("broken")
QUICK = ["--only", "fields_survive_json", "--only", "docstring_is_one_sentence"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLBENCH_BESIDE", "")


def test_the_list_is_the_checks_that_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [check.name for check in CHECKS]
    for line, check in zip(lines, CHECKS, strict=True):
        assert line.endswith(check.sentence) and check.sentence.endswith(".")


def test_the_help_page_says_what_is_checked_from_the_checks_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "--help"]) == 0
    _, told = " ".join(capsys.readouterr().out.split()).split(" Checks: ")
    assert told == " ".join(f"{check.name} {check.sentence}" for check in CHECKS)


def test_a_good_strategy_passes_with_a_line_per_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "naive", *QUICK]) == 0
    assert "2 of 2 promises kept" in capsys.readouterr().out


def test_a_broken_one_prints_three_lines_and_is_exit_code_6(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CheckError, match="wrong_type: fields_survive_json") as caught:
        invoke(["check", "naive", str(BROKEN / "wrong_type.py"), *QUICK])
    assert caught.value.exit_code == 6
    out = capsys.readouterr().out
    start = out.index("FAIL")
    found, look, mend = out[start:].splitlines()[1:4]
    assert "0.5" in found and "wrong_type.py, line 6: class WrongType" in look and "type" in mend


def test_json_has_every_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["check", "naive", *QUICK, "--json"]) == 0
    (outcomes,) = json.loads(capsys.readouterr().out).values()
    assert [outcome["status"] for outcome in outcomes] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "No strategy to examine"),
        (["nayve"], "Did you mean 'naive'"),
        (["naive", "--head", "querys"], "Did you mean 'queries'"),
        (["naive", "--only", "teacher_is_frosen"], "Did you mean 'teacher_is_frozen'"),
    ],
)
def test_a_wrong_name_is_a_usage_error_with_a_suggestion(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        invoke(["check", *arguments])


class Mine(Strategy):
    """Changes nothing."""


class Silent(Strategy):
    pass


def test_a_class_can_be_examined_without_a_file_of_its_own() -> None:
    assert {outcome.status for outcome in check_strategy(Mine)} <= {"passed", "noted"}


def test_check_strategy_raises_with_what_where_and_how() -> None:
    with pytest.raises(
        ConformanceError, match="silent: docstring_is_one_sentence: the class has no docstring"
    ) as caught:
        check_strategy(Silent, checks=["docstring_is_one_sentence"])
    assert "class Silent(Strategy)" in str(caught.value) and "one sentence" in caught.value.hint


def test_parametrize_makes_one_case_per_strategy_head_and_check() -> None:
    mark = parametrize_with_checks([Mine, "er"], heads=["", "queries"]).mark  # type: ignore[attr-defined]
    names, cases = mark.args
    assert names == ("subject", "check") and len(cases) == 4 * len(CHECKS)
    assert {case.id.rpartition("-")[0] for case in cases} == {"mine", "mine+queries", "er", "er+queries"}
    subject, check = cases[1].values
    require(subject, check)


def test_what_cannot_be_run_is_skipped_not_passed() -> None:
    subject = Subject(str(BROKEN / "raises_on_import.py"))
    assert {examine(subject, check=check).status for check in CHECKS} == {"failed", "not run"}
    with pytest.raises(ConformanceError):
        require(subject, CHECKS[0])
    with pytest.raises(pytest.skip.Exception, match="file_holds_one_strategy failed"):
        require(subject, CHECKS[1])
