"""The heads and what they say of themselves, read from their source: importing them would import torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import clbench
from clbench.cli.source import assigned, first_line, imported, parsed

NN = Path(clbench.__file__).parent / "nn"


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
