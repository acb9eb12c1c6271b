"""Everything the README says to type is typed here, and does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
from PIL import Image

from clbench.cli import verbs
from clbench.spec.scenario import parse_scenario

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else ""
INSTALL, TEST = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)[:2]
SHRINK = " --seed 0 " + " ".join(
    f"--set train.{value}" for value in ("epochs=1", "base_epochs=1", "image_size=16", "batch_size=256")
)
"""What is added to the main benchmark where only the typing is tested."""


def commands(heading: str) -> list[str]:
    """Return the command lines of a section."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [line for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]


def files(suffix: str) -> dict[str, str]:
    """Return the files the README shows whole: path -> content."""
    return dict(re.findall(rf"<!-- file: (\S+{suffix}) -->\n```\w+\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a reader has after cloning: the tracked and new files of the tree, without results of this machine."""
    for name in ("clbench", "strategies", "scenarios", "docs", "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name)  # what is compiled already too: it is the same code
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / "results").mkdir()
    shutil.copy(ROOT / "results" / "README.md", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell would; `clbench` and `python` are of this environment, on the clone's code."""
    if line.startswith("clbench "):
        return forked.clbench(*shlex.split(line)[1:], cwd=folder, tree=folder, timeout=900)
    bin_folder = Path(sys.executable).parent
    env = (
        os.environ | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder)} | environment
    )
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, cwd=folder, env=env, timeout=900
    )


def run_all(lines: list[str], folder: Path) -> dict[str, str]:
    """Type the lines one after the other and return what each printed; any that fails fails the test."""
    printed = {}
    for line in lines:
        verb = line.split()[1]
        if not (Path(verbs.__path__[0]) / f"{verb}.py").exists():
            pytest.fail(f"{line}: there is no verb {verb}")
        full = line + SHRINK if line.startswith("clbench run coco") else line
        done = typed(full, folder)
        assert done.returncode == 0, f"{full}\n{done.stdout}\n{done.stderr}"
        printed[line] = done.stdout
    return printed


def test_the_readme_opens_with_the_two_commands():
    fences = re.findall(r"```sh\n(.*?)```", README.split("\n**clbench is", 1)[0], re.DOTALL)
    assert len(fences) == 2
    assert all(len(fence.strip().splitlines()) == 1 for fence in fences)
    assert INSTALL.strip().endswith("requirements-run.lock -e . && python -m clbench run scenarios/coco_b40c10.yaml")
    assert TEST.strip().endswith('requirements.lock -e ".[dev]" && python -m pytest')


def test_every_link_leads_somewhere():
    targets = re.findall(r"\]\(([^)#]+)", README)
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []


def test_the_table_of_exit_codes_is_that_of_the_command_line():
    from clbench.cli.group import EXIT_CODES

    listed = re.findall(r"^\| (\d+) \|", README.split("| exit code |")[1], re.MULTILINE)
    assert listed == re.findall(r"^  (\d+)  ", EXIT_CODES, re.MULTILINE)


def test_the_scenario_shown_is_a_scenario():
    for path, text in files(".yaml").items():
        assert parse_scenario(text, source=path).name == Path(path).stem


def test_the_python_lines_do_what_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", README.split("\n## Try it\n")[1].split("\n## ")[0], re.DOTALL)
    names: dict[str, Any] = {}
    exec(lines, names)
    assert [record.strategy.name for record in names["records"]] == ["naive", "er"]
    assert set(names["frame"].strategy) == {"naive", "er"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_trying_it_works_as_typed(clone: Path):
    printed = run_all(commands("Try it"), clone)
    assert any("records are re-scored" in text for text in printed.values())
    assert "er" in printed["clbench report leaderboard tiny"]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_strategy_shown_runs_as_typed(clone: Path):
    first, *rest = commands("A strategy of your own")
    run_all([first], clone)
    ((path, text),) = files(".py").items()
    assert (clone / path).exists(), "`new` writes the file that the README then shows"
    (clone / path).write_text(text)
    printed = run_all(rest, clone)
    assert "\\toprule" in printed[rest[-1]]
    assert "mine" in printed[rest[-1]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_data_set_and_scenario_shown_run_as_typed(clone: Path):
    for path, text in files(".yaml").items():
        (clone / path).write_text(text)
    export: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": []}
    export["categories"] = [{"id": number, "name": name} for number, name in enumerate(WORDS)]
    (clone / "my_export").mkdir()
    for number, (name, labels) in enumerate(photos()):
        Image.new("RGB", (32, 32), (number, len(labels) * 20, 40)).save(clone / "my_export" / f"{name}.png")
        export["images"].append({"id": number, "file_name": f"{name}.png"})
        export["annotations"] += [{"image_id": number, "category_id": WORDS.index(label)} for label in labels]
    (clone / "my_export" / "export.json").write_text(json.dumps(export))
    printed = run_all(commands("A data set and a scenario of your own"), clone)
    assert "labels.csv" in printed["clbench show mine"]
    assert "28 train and 8 test photos" in printed["clbench data import my_export --to photos --split 0.2"]
    assert "er" in printed["clbench report leaderboard mine"]


WORDS = ["apple", "bird", "cup", "dog"]


def photos() -> Iterator[tuple[str, set[str]]]:
    """Yield (name, labels) of 36 pictures with one or two of four labels."""
    for number in range(36):
        yield f"photo-{number}", {WORDS[number % 4], WORDS[(number // 2) % 4]}


@pytest.fixture
def offline_pip(clone: Path) -> dict[str, str]:
    """Pip installs the clone alone; what the locks name is found in this environment."""
    import click

    for name in ("requirements.lock", "requirements-run.lock"):
        (clone / name).write_text("# nothing\n")
    return {
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one as `build isolation: no`
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONPATH": str(Path(click.__file__).parent.parent),
    }


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_first_command_installs_and_runs_the_main_benchmark(clone: Path, offline_pip: dict[str, str]):
    done = typed(f"{INSTALL.strip()} --strategy naive{SHRINK}", clone, **offline_pip)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "STAND-IN" in done.stderr
    assert list(clone.glob("results/coco_b40c10.v1.scenes/naive/*/seed0.json"))
    assert (clone / ".venv" / "bin" / "clbench").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_second_command_installs_and_runs_tests(clone: Path, offline_pip: dict[str, str]):
    shutil.copytree(ROOT / "tests", clone / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    done = typed(TEST.strip() + " tests/test_resolve.py -k pickling", clone, **offline_pip)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
