"""One direction of imports, and nothing heavy where a reader of tables waits for it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import clbench

WIDEST = 20
"""Files in a folder of the package."""
PACKAGE = Path(clbench.__file__).parent
ROOT = PACKAGE.parent

MAY_IMPORT = {
    "errors": "",
    "seeds": "",
    "files": "errors",
    "imports": "",
    "spec": "errors seeds files",
    "metrics": "errors",
    "strategies": "files",
    "weights": "errors files imports",
    "nn": "errors seeds files imports weights",
    "data": "errors seeds files imports spec",
    "stream": "errors seeds files spec data",
    "ranks": "errors nn",
    "method": "errors seeds files spec metrics data stream nn ranks",
    "plan": "errors files imports spec data weights nn strategies method",
    "records": "errors seeds files spec metrics data stream plan",
    "report": "errors files spec metrics records stream plan.provenance",
    "pretrain": "errors seeds files data weights nn",
    "train": "errors seeds files imports spec data stream weights pretrain nn ranks method plan metrics records",
    "cost": "errors files metrics data stream nn method plan train",
    "many": "errors files imports spec data plan ranks records train",
    "tune": "errors seeds files spec stream plan records train many",
    "watch": "errors files plan records train",
    "export": "errors files imports spec metrics data stream nn method plan records train",
    "explain": "errors spec data stream nn method plan records report train",
}
"""What each module or folder of the package may import of the rest. Those not named here stand on top of everything."""

LIGHT = [
    "errors", "seeds", "files", "spec", "weights", "plan.catalog", "plan.set_option", "plan.plan", "strategies",
    "stream.build", "stream.pins", "data.table",
    "data.datasets", "data.fetch", "data.scenes", "metrics", "records", "report", "cli.group",
]  # fmt: skip
"""What may not import torch, however indirectly; of folders, every module."""


def modules(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"), path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of everything a file imports, also inside functions; relative names as they stand."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from clbench import catalog` imports a module, `from clbench import Strategy` a name
            inner = [alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists()]
            below = node.module == "clbench" and inner
            yield from (
                (node.lineno, name) for name in ([f"clbench.{name}" for name in inner] if below else [node.module])
            )
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def allowed(module: str) -> list[str] | None:
    found = MAY_IMPORT.get(module, MAY_IMPORT.get(module.partition(".")[0]))
    return None if found is None else found.split()


def within(name: str, places: list[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def test_imports_go_one_way():
    wrong = []
    for module, path in modules(PACKAGE):
        places = allowed(module)
        for line, name in imported(path) if places is not None else []:
            inside = name.removeprefix("clbench.")
            own = module.partition(".")[0]
            if name.startswith("clbench.") and not within(inside, [own, *(places or [])]):
                wrong.append(f"{path}:{line} imports {name}")
    assert wrong == []


def modules_imported() -> dict[str, set[str]]:
    """Every module of the package -> the modules of it that it imports, also inside functions and for types alone."""
    paths = {f"clbench.{module}" if module else "clbench": path for module, path in modules(PACKAGE)}
    paths.pop("clbench.__init__", None)
    found: dict[str, set[str]] = {}
    for name, path in paths.items():
        found[name] = set()
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                # `from a import b` imports the module a.b where there is one, else the module a
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                named = [one if one in paths else node.module for one in inner]
            else:
                continue
            found[name].update(one for one in named if one in paths and one != name)
    return found


def test_no_modules_import_each_other_in_a_circle():
    try:
        TopologicalSorter(modules_imported()).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_folder_is_wide_and_few_modules_stand_loose():
    width = Counter(path.parent.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))
    assert {folder: files for folder, files in width.items() if files > WIDEST} == {}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__", "errors", "seeds", "strategies"}


def test_nothing_derives_from_a_run():
    nodes = [(path, node) for _, path in modules(PACKAGE) for node in ast.walk(ast.parse(path.read_bytes()))]
    derived = [
        f"{path}:{node.lineno}"
        for path, node in nodes
        if isinstance(node, ast.ClassDef) and "Run" in {getattr(base, "id", "") for base in node.bases}
    ]
    assert derived == [], "a run is handed its parts: clbench.train.assembly.Parts"


def test_every_part_of_the_package_has_a_place():
    parts = {module.partition(".")[0] for module, _ in modules(PACKAGE)} - {"__init__", "__main__", "clbench", ""}
    above = {"cli", "testing", "check", "checks"}  # call everything, are called by nobody
    assert parts - set(MAY_IMPORT) <= above, "say in MAY_IMPORT what the new part may import"


def test_strategies_import_public_names_and_nn_only():
    wrong = [
        f"{path}:{line} imports {name}"
        for path in sorted((ROOT / "strategies").glob("*.py"))
        for line, name in imported(path)
        if name.startswith("clbench.") and not within(name, ["clbench.nn", "clbench.strategies"])
    ]
    assert wrong == []


def test_only_the_loop_imports_avalanche():
    files = [*(path for _, path in modules(PACKAGE)), *(ROOT / "strategies").glob("*.py")]
    users = {
        path.relative_to(ROOT).as_posix() for path in files for _, name in imported(path) if within(name, ["avalanche"])
    }
    assert users == {"clbench/train/loop.py"}


def test_only_the_command_line_prints():
    wrong = [
        f"{path}:{node.lineno}"
        for module, path in modules(PACKAGE)
        if module.partition(".")[0] != "cli"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert wrong == []


def light_modules() -> list[str]:
    names = []
    for name in LIGHT:
        folder = PACKAGE / name.replace(".", "/")
        names += [module for module, _ in modules(folder)] if folder.is_dir() else [name]
    return names


def test_light_modules_never_import_torch():
    lines = ["import importlib, sys"]
    for name in light_modules():
        lines += [f"importlib.import_module('clbench.{name}')", f"assert 'torch' not in sys.modules, 'clbench.{name}'"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_silent_and_light():
    code = "import sys, clbench; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not {"torch", "numpy", "pandas", "click", "msgspec"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "name", ["Batch", "Exemplars", "Replay", "Session", "Strategy", "builtin", "load_results", "run"]
)
def test_public_names_are_there(name: str):
    assert getattr(clbench, name) is not None


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Strategi'"):
        clbench.Strategi  # noqa: B018


def test_every_folder_of_the_package_is_packed():
    listed = set(re.findall(r'^    "(clbench[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")}
    assert folders == {name for name in listed if "._shipped." not in name}
