"""What source files say of themselves, for pages that must not import what they describe: it would import torch."""

from __future__ import annotations

import ast
from pathlib import Path


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
