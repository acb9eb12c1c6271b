"""The documentation site names everything that can be said, and every page is reached."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import click
import matplotlib as mpl
import msgspec
import pytest

import clbench
from clbench import metrics
from clbench.cli.group import PROGRAM, command
from clbench.data.datasets.registry import DATASETS
from clbench.files.field_words import choices, field_at, shown
from clbench.many.sweep_file import SweepSpec
from clbench.nn import PUBLIC
from clbench.nn.heads.by_name import HEADS, head_options
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.records import schema
from clbench.records.rows import MARKS
from clbench.spec.scenario import LabelsSpec, PinsSpec, ScenarioSpec, StandInSpec, TrainSpec, ValidationSpec
from clbench.tune.search_file import SearchSpec

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    sys.path.insert(0, str(DOCS / "site"))
    try:
        return importlib.import_module("hooks")
    finally:
        sys.path.remove(str(DOCS / "site"))


@pytest.fixture(scope="module")
def pages(hooks: ModuleType) -> dict[str, str]:
    return hooks.generated()


def rows(page: str) -> dict[str, list[str]]:
    """Return the first cell of every table row, without its backticks -> the other cells."""
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in page.splitlines() if line[:1] == "|"]
    return {line[0].strip("`"): line[1:] for line in cells}


@pytest.mark.parametrize(
    ("path", "structs"),
    [
        ("reference/recipe.md", [TrainSpec]),
        ("reference/scenario.md", [LabelsSpec, ValidationSpec, PinsSpec, StandInSpec, ScenarioSpec]),
        ("reference/sweep-and-search.md", [SweepSpec, SearchSpec]),
    ],
)
def test_every_key_stands_with_its_choices_and_default(pages: dict[str, str], path: str, structs: list[type]):
    listed = rows(pages[path])
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            kind, default = field_at(struct, field.name) or (None, None)
            assert field.name in listed
            assert all(choice in pages[path] for choice in choices(kind))
            assert shown(default) in pages[path]
    if path == "reference/recipe.md":
        assert listed["augment"][:2] == ["none, flip, crop, rrc or krt", "`krt`"]
        assert listed["epochs"][:2] == ["a whole number, at least 1", "`20`"]


def test_every_verb_has_a_page_with_all_its_options(pages: dict[str, str]):
    context = click.Context(command, info_name=PROGRAM)
    for name in command.list_commands(context):
        verb = command.get_command(context, name)
        assert verb is not None
        inner = (
            [verb.get_command(context, n) for n in verb.list_commands(context)] if isinstance(verb, click.Group) else []
        )
        for item in [verb, *inner]:
            assert item is not None
            for parameter in item.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    assert parameter.opts[-1] in pages[f"commands/{name}.md"]
    assert "clbench run coco_b40c10 --dry-run" in pages["commands/run.md"]


def test_marks_metrics_heads_data_sets_strategies_and_records_are_complete(pages: dict[str, str]):
    assert set(MARKS) < set(rows(pages["reference/marks.md"]))
    assert set(metrics.NAMES) < set(rows(pages["reference/metrics.md"]))
    for name in HEADS:
        section = pages["reference/heads.md"].split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert set(head_options(name)) <= set(rows(section))
    for known in DATASETS.values():
        section = pages["reference/data.md"].split(f"\n## {known.name}\n")[1].split("\n## ")[0]
        assert {option.name for option in known.options} <= set(rows(section))
    for entry in catalog.strategies():
        if entry.origin == "shipped":
            section = pages["reference/strategies.md"].split(f"\n## {entry.name}\n")[1].split("\n## ")[0]
            fields = set(load_strategy(entry).fields_of()) - {"head", "head_options"}
            assert fields <= set(rows(section))
    for kind in vars(schema).values():
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == schema.__name__:
            assert set(get_type_hints(kind)) <= set(rows(pages["reference/record.md"]))


def test_every_public_name_is_documented(pages: dict[str, str]):
    page = pages["reference/python.md"]
    assert all(f"::: clbench.{name}\n" in page for name in clbench.__all__ if name not in ("PROTOCOL", "__version__"))
    assert all(f"`{name}`" in page for names in PUBLIC.values() for name in names)


def test_the_navigation_leads_to_files(pages: dict[str, str]):
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert named
    assert [name for name in named if name not in pages and not (DOCS / name).exists()] == []


def test_links_between_pages_lead_somewhere(pages: dict[str, str]):
    written = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    lost = []
    for name, text in (written | pages).items():
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            path = os.path.normpath(Path(name).parent / target)
            if path not in pages and not (DOCS / path).exists():
                lost.append(f"{name}: {target}")
    assert lost == []


def test_the_notebook_runs_and_holds_no_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    notebook = json.loads((DOCS / "notebooks" / "first_look.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names: dict[str, object] = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), "first_look.ipynb", "exec"), names)
    curves = names["curves"]
    assert curves.shape == (3, 2)  # type: ignore[attr-defined]
    assert len(names["ax"].lines) == 2  # type: ignore[attr-defined]
    assert len(list(tmp_path.rglob("seed*.json"))) == 4
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("mkdocstrings") is None, reason="the extra `docs` is not installed"
)
def test_the_site_is_built_without_a_warning(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "recipe.html").exists()
