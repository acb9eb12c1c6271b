"""Help, exit codes, suggestions, failures and weight of the command line."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

import clbench
from clbench.cli.failures import INTERRUPTED, UNEXPECTED
from clbench.cli.group import EXIT_CODES, command
from clbench.errors import ClbenchError, DataError

Cli = Callable[..., Any]
VERBS = command.list_commands(click.Context(command))


def python(code: str, *, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | environment
    )


def commands(group: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(group, click.Group):
        return [(name, group)]
    context = click.Context(group)
    inner = [(f"{name} {verb}", group.get_command(context, verb)) for verb in group.list_commands(context)]
    return [(name, group)] + [item for verb, found in inner if found for item in commands(found, verb)]


ALL = commands(command, "clbench")


# ---------------------------------------------------------------------- help


@pytest.mark.parametrize(("name", "verb"), ALL, ids=[name for name, _ in ALL])
def test_every_verb_says_what_it_does_and_shows_an_example(cli: Cli, name: str, verb: click.Command):
    done = cli(*name.split()[1:], "--help")
    assert done.code == 0
    assert f"  {name}" in done.out.split("Example", 1)[1], "an example that calls the verb"
    first = (verb.help or "").splitlines()[0]
    assert first.endswith(".")
    assert len(first) < 100
    assert all(option.help for option in verb.params if isinstance(option, click.Option)), (
        "every option says what it is for"
    )


def test_the_help_page_lists_every_verb_with_its_first_line(cli: Cli):
    out = cli("--help").out
    assert cli().out == out
    for verb in VERBS:
        found = command.get_command(click.Context(command), verb)
        assert found is not None
        assert f"  {verb} " in out
        assert (found.help or "").splitlines()[0] in " ".join(out.split())


def test_the_exit_codes_of_the_help_page_are_those_of_the_errors():
    codes = {kind.exit_code for kind in ClbenchError.__subclasses__()} | {0, UNEXPECTED, INTERRUPTED}
    assert {int(number) for number in re.findall(r"^  (\d+)  ", EXIT_CODES, re.MULTILINE)} == codes


def test_the_version_is_printed(cli: Cli):
    assert cli("--version").out == f"clbench {clbench.__version__}\n"


# ---------------------------------------------------------------------- what the user gets wrong


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["lits"], "Did you mean 'list'"),
        (["leaderbord"], "No such verb 'leaderbord'"),
        (["run", "tiny", "--strateg", "er"], "--strategy"),
        (["run", "tinny"], "Did you mean 'tiny'"),
        (["run", "tiny", "--strategy", "nave"], "Did you mean 'naive'"),
        (["run", "tiny", "--set", "train.epocs=1"], "Did you mean 'epochs'"),
        (["run", "tiny", "--seed", "one"], "a seed is a whole number"),
        (["run", "tiny", "--seed", "-1"], "a seed is a whole number"),
        (["run", "tiny", "--jobs", "0"], "0 is not in the range"),
        (["run", "tiny", "--calibrate"], "belongs to --dry-run"),
        (["list", "strategie"], "strategies"),
        (["data", "get", "coco2104"], "Did you mean 'coco2014'"),
        (["data", "check", "scenes", "--option", "train"], "expected NAME=VALUE"),
        (["new", "strategy", "My-Method"], "cannot be a strategy's name"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_suggestion_and_exit_code_2(cli: Cli, words: list[str], suggestion: str):
    done = cli(*words)
    assert done.code == 2
    assert suggestion in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


# ---------------------------------------------------------------------- what goes wrong


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("clbench.records.unfinished.statuses", fail)


def test_a_designed_error_is_a_message_a_hint_and_its_exit_code(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, DataError("It is not there.", hint="clbench data get it"))
    assert cli("status") == (3, "", "Error: It is not there.\n  clbench data get it\n")


def test_what_is_a_colleagues_is_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, PermissionError(13, "Permission denied", "/a/colleague"))
    hint = "Ask whose it is for access, or name another folder."
    assert cli("status") == (3, "", f"Error: /a/colleague: not allowed (Permission denied).\n  {hint}\n")


def test_an_unexpected_error_leaves_its_traceback_in_a_file(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, KeyError("x"))
    done = cli("status")
    assert done.code == 1
    assert "unexpected KeyError" in done.err
    assert "Traceback" not in done.err
    path = Path(done.err.split()[-1])
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert "Traceback" in text
    assert "KeyError: 'x'" in text


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_traceback_is_shown_to_who_asks(here: Path, how: str):
    # in a process of its own: --debug is read from the command line itself
    code = (
        "import clbench.records.unfinished, sys\ndef fail(*_): raise KeyError('x')\n"
        "clbench.records.unfinished.statuses = fail\n"
        "from clbench.cli import main\nsys.argv = ['clbench', *(['--debug'] if sys.argv[1:] else []), 'status']\nmain()"
    )
    words = [sys.executable, "-c", code, *(["debug"] if how == "option" else [])]
    environment = os.environ | ({"CLBENCH_DEBUG": "1"} if how == "variable" else {})
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_interruption_has_the_exit_code_of_one(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, KeyboardInterrupt("stopped; the state is saved in x"))
    done = cli("status")
    assert (done.code, done.out) == (130, "")
    assert "stopped; the state is saved in x" in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way")
def test_control_c_ends_the_process_quietly(here: Path):
    code = (
        "import clbench.records.unfinished, time\ndef wait(*_):\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "clbench.records.unfinished.statuses = wait\nfrom clbench.cli import main\nmain(['status'])"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.skipif(os.name != "posix", reason="pipes of a POSIX shell")
def test_a_pipe_closed_while_printing_ends_with_its_code_and_no_words(here: Path):
    code = (
        "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
        "from clbench.cli import main\nmain(['list'])"
    )
    done = python(code, cwd=here)
    assert (done.returncode, done.stderr) == (141, "")


def test_names_outside_the_terminals_encoding_are_no_error(here: Path):
    (here / "strategies").mkdir()
    (here / "strategies" / "mine.py").write_text("class Mine:\n    '''Größer ± 中.'''\n", encoding="utf-8")
    done = python("from clbench.cli import main; main(['list'])", cwd=here, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "Gr??er" not in done.stderr


# ---------------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of_every_shell_is_printed(cli: Cli, shell: str):
    done = cli("completion", shell)
    assert done.code == 0
    assert "_CLBENCH_COMPLETE" in done.out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("clbench ve", "verify"),
        ("clbench run ti", "tiny"),
        ("clbench run tiny --strategy na", "naive"),
        ("clbench run tiny --strategy naive,j", "naive,joint"),
        ("clbench data get coco2014", "coco2014"),
        ("clbench report leaderboard tin", "tiny"),
    ],
)
def test_names_are_completed_without_importing_torch(here: Path, words: str, completed: str):
    code = "import sys, atexit; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)));"
    code += "from clbench.cli import main; main([])"
    count = str(len(words.split()) - 1)
    done = python(code, cwd=here, _CLBENCH_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count)
    assert f"plain,{completed}\n" in done.stdout
    assert "torch" not in done.stderr.split()


# ---------------------------------------------------------------------- weight


def cpu_of_children() -> float:
    """Seconds of CPU time that processes started here have used; the clock on the wall tells of neighbours too."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


@pytest.mark.parametrize(
    "words",
    [
        ["--help"], ["list"], ["run", "--help"], ["check", "--help"], ["check", "--list"], ["search", "--help"],
        ["completion", "fish"], ["--version"],
    ],
)  # fmt: skip
def test_light_verbs_import_neither_torch_nor_numpy_and_are_quick(here: Path, words: list[str]):
    code = (
        "import sys, atexit; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)));"
        f"from clbench.cli import main; main({words!r})"
    )
    ratios = []
    for _ in range(3):
        begin = cpu_of_children()
        python("import click, msgspec, yaml", cwd=here)
        bare = cpu_of_children() - begin
        done = python(code, cwd=here)
        ratios.append((cpu_of_children() - begin - bare) / bare)
        assert done.returncode == 0
        assert not {"torch", "numpy", "avalanche", "rich"} & set(done.stderr.split())
    # measured: 1 to 3; an imported torch takes more than 20
    assert min(ratios) < 8, "against an interpreter that imports click, msgspec and yaml"
