"""What source files say of themselves, for pages that must not import what they describe: it would import torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import clbench

NN = Path(clbench.__file__).parent / "nn"
CHECKS = Path(clbench.__file__).parent / "testing" / "checks"


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_bytes())


def assigned(tree: ast.Module, name: str) -> ast.expr:
    """Return what the annotated module variable `name` is assigned. Raises LookupError where there is none."""
    for node in tree.body:
        named = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name
        if named and isinstance(node, ast.AnnAssign) and node.value is not None:
            return node.value
    raise LookupError(name)


def imported(tree: ast.Module) -> dict[str, str]:
    """Return name -> dotted path for every `from module import name` of a file."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def first_line(tree: ast.Module, name: str) -> str:
    """Return the first line of the docstring of a file's class or function `name`. Raises LookupError."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
            return (ast.get_docstring(node) or "").partition("\n")[0]
    raise LookupError(name)


@dataclass(frozen=True)
class HeadLine:
    """A head's name and the first line of its description."""

    name: str
    title: str


def heads() -> list[HeadLine]:
    """Return the heads of `clbench.nn.heads.by_name.HEADS` in its order."""
    registry = parsed(NN / "heads" / "by_name.py")
    classes = imported(registry)
    listed = assigned(registry, "HEADS")
    assert isinstance(listed, ast.Dict)
    found = []
    for key, kind in zip(listed.keys, listed.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(kind, ast.Name):
            file = NN.joinpath(*classes[kind.id].split(".")[2:-1])
            found.append(HeadLine(str(key.value), first_line(parsed(file.with_suffix(".py")), kind.id)))
    return found


def checks() -> dict[str, str]:
    """Return name -> sentence of every check in `clbench.testing.battery.CHECKS`, in its order."""
    battery = parsed(CHECKS.parent / "battery.py")
    modules = imported(battery)
    listed = assigned(battery, "CHECKS")
    assert isinstance(listed, ast.Tuple)
    found = {}
    for entry in listed.elts:
        assert isinstance(entry, ast.Call)
        function = entry.args[0]
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            file = modules[function.value.id].rpartition(".")[2]
            found[function.attr] = first_line(parsed(CHECKS / f"{file}.py"), function.attr)
        elif isinstance(function, ast.Name):
            found[function.id] = first_line(battery, function.id)
    return found
