"""What surrounds the code names commands, files and versions that exist."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import clbench

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_is_there(path: Path) -> None:
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        assert job["runs-on"] and job["steps"]
    said = "\n".join(step.get("run", "") for step in steps(path))
    assert set(re.findall(r"\bmake (\w+)", said)) <= TARGETS
    for name in re.findall(r"-r (\S+)", said) + re.findall(r"(\.ci/\w+)", said):
        assert (ROOT / name).exists(), name


def test_a_release_needs_the_version_and_no_secret() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert "id-token: write" in text and "secrets." not in text and "clbench.__version__" in text


def test_what_is_told_to_install_can_be_had() -> None:
    """No index has clbench as yet: `pip install 'clbench[ray]'` would find nothing, or a stranger's package."""
    project = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", project, re.MULTILINE))
    for path in [*(ROOT / "clbench").rglob("*.py"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install ['\"]?clbench", text), path
        for named in re.findall(r"-e ['\"]?\.\[([\w,]+)\]", text):
            assert set(named.split(",")) <= extras, (path, named)


def test_every_target_of_the_makefile_is_declared() -> None:
    text = (ROOT / "Makefile").read_text()
    assert set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) == TARGETS  # type: ignore[index]
    assert {"check", "fast", "slow", "docs"} <= TARGETS
    for name in re.findall(r"python (\S+\.py)", text):
        assert (ROOT / name).exists(), name


def test_every_script_beside_the_benchmarks_is_run_nightly_or_says_why_not() -> None:
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("smallest", folder / "smallest.py")
    assert spec and spec.loader
    spec.loader.exec_module(script := importlib.util.module_from_spec(spec))
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
    assert found == {*script.smallest(), *script.PARTS, *script.ELSEWHERE}
    assert set(script.PARTS) == {
        f"{name}.py" for name in re.findall(r'Part\("(\w+)\.', (folder / "scaling.py").read_text())
    }
    for name in script.smallest():
        if script.smallest()[name] == script.USUAL:
            text = (folder / name).read_text()
            assert "--quick" in text and "main(measure" in text, name
    assert "make benchmarks" in (ROOT / ".github" / "workflows" / "nightly.yml").read_text()


def test_every_deliberate_fault_has_its_one_place_and_its_tests() -> None:
    texts = [
        path.read_text(encoding="utf-8") for name in ("clbench", "strategies") for path in (ROOT / name).rglob("*.py")
    ]
    faults = yaml.safe_load((ROOT / "benchmarks" / "faults" / "faults.yaml").read_text())
    assert len(faults) >= 40
    assert {fault["name"]: sum(text.count(fault["old"]) for text in texts) for fault in faults} == {
        fault["name"]: 1 for fault in faults
    }
    assert [name for fault in faults for name in fault["tests"] if not (ROOT / "tests" / name).exists()] == []


def test_what_benchmarks_import_is_there_also_in_texts_that_other_processes_run() -> None:
    lost = []
    for path in sorted((ROOT / "benchmarks").rglob("*.py")):
        pattern = r"^\s*from (clbench[\w.]*) import (\([^)]*\)|[^\n;]+)"
        for name, imported in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE):
            module = importlib.import_module(name)
            for word in re.findall(r"\w+", re.sub(r" as \w+|#.*", "", imported)):
                if not hasattr(module, word) and importlib.util.find_spec(f"{name}.{word}") is None:
                    lost.append(f"{path.relative_to(ROOT)}: {name}.{word}")
    assert lost == []


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == clbench.__version__ and cited["license"] == "MIT"
    assert cited["repository-code"] in (ROOT / "pyproject.toml").read_text()


def test_templates_are_forms() -> None:
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert path.stem == "config" or (form["name"] and form["description"] and form["body"])
    row = (ROOT / ".github" / "PULL_REQUEST_TEMPLATE" / "row.md").read_text()
    assert "clbench verify RECORDS --scores --submit" in row


def test_hooks_judge_with_the_tools_of_the_lock() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local" and {hook["language"] for hook in local["hooks"]} == {"system"}
