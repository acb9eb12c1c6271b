"""Every shipped strategy is short and self-contained, and says what it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy

ENTRIES = [entry for entry in catalog.strategies() if entry.origin == "shipped"]
SHIPPED = [entry.name for entry in ENTRIES]
PATHS = [entry.path for entry in ENTRIES]
ALLOWED = {"clbench", "torch", "numpy", "typing", "collections", "math", "itertools"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_strategy_file_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_strategy_imports_public_names_and_building_blocks_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            assert module.partition(".")[0] in ALLOWED, module
            assert module == "clbench" or not module.startswith("clbench.") or module.startswith("clbench.nn.")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_field_is_explained_or_speaks_for_itself_and_every_class_has_a_sentence(name: str) -> None:
    kind = load_strategy(catalog.find_strategy(name))
    first = (kind.__doc__ or "").partition("\n")[0]
    assert first.endswith(".") and len(first) < 120
    assert kind().changed() == {}
