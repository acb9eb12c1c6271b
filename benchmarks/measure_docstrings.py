"""Counts public functions whose docstrings say what they should: shapes of arrays, and the errors they raise.

A function takes or gives arrays where an annotation names Tensor, NDArray, ArrayLike or an alias of them, and its
docstring (or its class's) says a shape where it has brackets, such as `[B, seen]`, or the word scalar. A function
raises what its own body raises by name (private errors and ValueError, which is turned into one of clbench's, aside),
and says so where the docstring names that error. Commands are left out: their docstring is the help that is printed.
`--list` prints the functions that lack something.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "clbench"
ARRAYS = re.compile(r"\b(Tensor|NDArray|ArrayLike|Targets|Floats|Matrix|Aps|Logits|PerLabel|Exemplars)\b")
SHAPE = re.compile(r"\[[^\]]*\]|\bscalar|\bshape|\bper label|\bof every label|\bstate_dict")
SPECIFIC = re.compile(r"\b\w+Error\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[tuple[str, Function, str]]:
    """Yield (name, function, docstring of its class) of every public function and method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, ""
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            about = ast.get_docstring(node) or ""
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner, about


def takes_arrays(function: Function) -> bool:
    """Say whether arrays come in or go out."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    hints = [argument.annotation for argument in arguments] + [function.returns]
    return any(ARRAYS.search(ast.unparse(hint)) for hint in hints if hint is not None)


def raised(function: Function) -> set[str]:
    """Return the names of the errors that the body raises."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.add(node.exc.func.id)
    return {name for name in found if SPECIFIC.fullmatch(name) and name[0] != "_"} - {"AssertionError", "ValueError"}


def main() -> None:
    """Print the two shares, and with --list what lacks something."""
    shapes, errors, lacking = [], [], []
    for path in sorted(path for path in PACKAGE.rglob("*.py") if "cli" not in path.parts):
        for name, function, about in functions(ast.parse(path.read_bytes())):
            text = ast.get_docstring(function) or ""
            where = f"{path.relative_to(PACKAGE.parent)}:{function.lineno} {name}"
            if takes_arrays(function):
                shapes.append(bool(SHAPE.search(text) or SHAPE.search(about)))
                lacking += [] if shapes[-1] else [f"{where}: no shape"]
            if wanted := raised(function):
                errors.append(all(error in text or error in about for error in wanted))
                lacking += [] if errors[-1] else [f"{where}: {', '.join(sorted(wanted))}"]
    for title, found in (("shapes", shapes), ("errors", errors)):
        print(f"{title}: {sum(found)} of {len(found)} ({sum(found) / len(found):.0%})")
    if "--list" in sys.argv:
        print(*lacking, sep="\n")


if __name__ == "__main__":
    main()
