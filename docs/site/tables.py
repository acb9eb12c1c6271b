"""Small pieces of Markdown, and what source files say of the fields of a class."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from clbench.files.field_words import NO_DEFAULT, described, shown


def cell(text: str) -> str:
    """Return a text as it stands in one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(text) for text in line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    """Return a text in the type of code, nothing for nothing."""
    return f"`{text}`" if text else ""


def words(text: str) -> str:
    """Return a plain text so that Markdown changes none of it but code and links."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"(?<!\w)_|_(?!\w)|\*", r"\\\g<0>", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


def attribute_docs(kind: type) -> dict[str, str]:
    """Return name -> the text below it for every annotated field of a class and of what it inherits from."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        try:
            (tree,) = ast.parse(inspect.cleandoc(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for node, below in zip(body, [*body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = (
                    below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
                )
                found[node.target.id] = str(text)
    return found


def struct_table(struct: type) -> str:
    """Return a table of a struct's fields: name, what it may be, default, what it means."""
    docs = attribute_docs(struct)
    rows = []
    for field in msgspec.structs.fields(struct):
        made = field.default_factory is not NO_DEFAULT
        default = field.default_factory() if made else field.default
        rows.append([code(field.name), kind_text(field.type), default_text(default), words(docs.get(field.name, ""))])
    return table(["key", "value", "default", "meaning"], rows)


def kind_text(kind: Any) -> str:
    """Return what a type's values are, a struct by its name alone."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "a mapping, see below"
    return words(described(kind))


def default_text(default: Any) -> str:
    """Return a default for a table; `required` where there is none."""
    if default is NO_DEFAULT:
        return "required"
    return code(shown(default)) if default is not msgspec.UNSET else "absent"


def field_rows(types: Mapping[str, Any], defaults: Mapping[str, Any], docs: Mapping[str, str]) -> list[list[str]]:
    """Return rows for `table` of plain fields."""
    return [
        [code(name), words(described(kind)), default_text(defaults.get(name, NO_DEFAULT)), words(docs.get(name, ""))]
        for name, kind in types.items()
    ]
