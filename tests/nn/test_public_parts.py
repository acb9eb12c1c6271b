"""What strategies import of `clbench.nn` is listed, is there, and says what it does."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from clbench.nn import PUBLIC

STRATEGIES = Path(__file__).parents[2] / "strategies"
LISTED = [(module, name) for module, names in PUBLIC.items() for name in names]


def test_strategies_import_only_what_is_listed():
    wrong = [
        f"{path.name}:{node.lineno}: {name.name} of {node.module} is not in clbench.nn.PUBLIC"
        for path in sorted(STRATEGIES.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clbench.nn.")
        for name in node.names
        if name.name not in PUBLIC.get((node.module or "").removeprefix("clbench.nn."), ())
    ]
    assert wrong == []


@pytest.mark.parametrize(("module", "name"), LISTED)
def test_what_is_listed_is_there_and_described(module: str, name: str):
    found = getattr(import_module(f"clbench.nn.{module}"), name)
    if inspect.isclass(found) or inspect.isfunction(found):
        assert inspect.getdoc(found)
