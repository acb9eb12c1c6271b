"""A strategy's fields read from its file without importing it, and with it torch."""

from __future__ import annotations

import ast
import dataclasses
import typing
from functools import cache
from pathlib import Path
from typing import Any

import clbench
from clbench.files.given import LARGEST_TEXT, read_given
from clbench.method.fields import Fields
from clbench.plan.catalog import Entry, find_strategy

HOOKS = {"fields_of", "configured", "defaults", "values", "changed", "__init_subclass__", "__init__"}
"""Methods with which a class says more of its fields than their annotations do."""
TYPES = {**vars(typing), "dict": dict, "list": list, "tuple": tuple}
FACTORIES = {"dict": dict, "list": list}
READ = "static"
"""The class variable that decides which recipe a run has."""
PACKAGE = Path(clbench.__file__).parent
STRATEGY = PACKAGE / "method" / "strategy.py"


class UnreadableError(Exception):
    """The file has to be imported to know what it says."""


def read_kind(entry: Entry) -> type[Fields] | None:
    """Return a class with the fields of the strategy in a file; None where only importing it tells what they are.

    It has none of the strategy's methods and checks nothing but types: `validates` says whether the strategy does.
    """
    try:
        tree = _tree(entry.path)
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
        kind = _kind(entry.path, names[0]) if len(names) == 1 else Fields
        return kind if issubclass(kind, _kind(STRATEGY, "Strategy")) else None
    except (UnreadableError, OSError, SyntaxError, ValueError, TypeError, NameError, KeyError, AttributeError):
        return None


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(read_given(path, largest=LARGEST_TEXT))


@cache
def _kind(path: Path, name: str) -> type[Fields]:
    tree = _tree(path)
    (node,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    known = path == STRATEGY
    if not known and (node.keywords or node.decorator_list or HOOKS & set(methods)):
        raise UnreadableError(name)
    bases = tuple(filter(None, (_base(path, tree, base) for base in node.bases)))
    body: dict[str, Any] = {"__annotations__": {}, "__module__": __name__}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and "ClassVar" not in ast.unparse(item.annotation):
            field = ast.unparse(item.target)
            body["__annotations__"][field] = eval(ast.unparse(item.annotation), dict(TYPES))  # noqa: S307 - types only
            if item.value is not None:
                body[field] = _default(tree, item.value)
        elif isinstance(item, ast.AnnAssign | ast.Assign) and item.value is not None and READ in _targets(item):
            body[READ] = ast.literal_eval(item.value)
    made = type(name, bases or (Fields,), body)
    init = methods.get("__post_init__")
    if init is not None and not known:
        made.validates = True  # type: ignore[attr-defined]
        fields = {field.name for base in bases for field in dataclasses.fields(base)} | set(body["__annotations__"])
        if fields & _assigned(init):
            raise UnreadableError(name)
    kind: type[Fields] = dataclasses.dataclass(eq=False, kw_only=True, repr=False)(made)
    return kind


def _targets(item: ast.AnnAssign | ast.Assign) -> list[str]:
    return [ast.unparse(target) for target in (item.targets if isinstance(item, ast.Assign) else [item.target])]


def _assigned(function: ast.FunctionDef) -> set[str]:
    """Return the attributes that a method sets."""
    return {
        node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }


def _base(path: Path, tree: ast.Module, base: ast.expr) -> type[Fields] | None:
    """Return the class that a base stands for, None for one of torch's."""
    if ast.unparse(base) == "nn.Module":
        return None
    if not isinstance(base, ast.Name):
        raise UnreadableError(ast.unparse(base))
    if base.id == "Fields":
        return Fields
    if any(isinstance(node, ast.ClassDef) and node.name == base.id for node in tree.body):
        return _kind(path, base.id)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any((one.asname or one.name) == base.id for one in node.names):
            module, name = node.module or "", base.id
            if module == "clbench":
                module, name = clbench._PUBLIC[name]
            first, *rest = module.split(".")
            if first != "clbench" or node.level:
                raise UnreadableError(module)
            if rest[0] == "strategies":
                return _kind(find_strategy(rest[1]).path, name)
            return _kind(PACKAGE.joinpath(*rest).with_suffix(".py"), name)
    raise UnreadableError(base.id)


def _default(tree: ast.Module, value: ast.expr) -> Any:
    if isinstance(value, ast.Name):
        (value,) = (
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [value.id]
        )
    if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] == "field":
        ((key, given),) = ((word.arg, word.value) for word in value.keywords)
        if key != "default_factory":
            raise UnreadableError(ast.unparse(value))
        return dataclasses.field(default_factory=FACTORIES[ast.unparse(given)])
    return ast.literal_eval(value)
