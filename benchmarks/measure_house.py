"""How long the road through the code is: circles, folders, the files that a run passes through, lines of code.

    python benchmarks/measure_house.py

prints one line per measure, with what it should be. One run of the scenario `tiny` is traced for it, in this process
and in a temporary folder, with an empty cache; it takes less than a minute. What is made is counted until the table
after the run is printed. With `--road` it prints instead the files of the road that the run enters, each with its lines
and with the functions that are called in it, in the order of their first call.

The trip is counted so: from the moment in which the verb `run` begins until the record is written, every file below
`clbench/` counts of which a function is called; importing a module is not calling it. Of these, the road is what
decides what is run and carries it out: the folders in `ROAD`. The rest are pictures, networks, metrics and file tools.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import sys
import tempfile
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from unittest.mock import patch

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import clbench

PACKAGE = Path(clbench.__file__).parent
ROOT = PACKAGE.parent
ROAD = ("cli", "spec", "plan", "stream", "method", "train", "ranks", "many", "watch", "records")
LOOSE = {"__init__", "__main__", "errors", "seeds", "strategies"}
OPTIMIZED = 1
"""The flag of the code of a function; that of a module or a class body has none."""
COUNTED = {
    ("train/run.py", "__init__"): "runs",
    ("method/strategy.py", "__post_init__"): "strategies",
    ("files/roots.py", "_scanned"): "scans of the roots",
    ("stream/build.py", "build_stream"): "streams",
}


def import_circles() -> list[list[str]]:
    """Return the groups of modules that import each other, inside functions and for types too."""
    paths = {
        "clbench."
        + path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__"): path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent != PACKAGE or path.stem in LOOSE - {"__init__"}
    }
    number = {name: place for place, name in enumerate(paths)}
    edges = np.array(
        [
            (number[name], number[other])
            for name, path in paths.items()
            for other in _imported(path, names=set(paths))
            if other != name
        ]
    )
    graph = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(paths), len(paths)))
    _, group = connected_components(graph, connection="strong")
    members: dict[int, list[str]] = {}
    for name, found in zip(paths, group.tolist(), strict=True):
        members.setdefault(found, []).append(name)
    return [names for names in members.values() if len(names) > 1]


def _imported(path: Path, *, names: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from (name for name in [inner if inner in names else node.module] if name in names)


def lines_of_code(path: Path) -> int:
    """Return how many lines of a file hold code: no blank lines, comments or docstrings."""
    text = path.read_bytes()
    strings = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            strings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    held: set[int] = set()
    idle = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
    for token in tokenize.tokenize(io.BytesIO(text).readline):
        if token.type not in idle and token.type != tokenize.ENDMARKER:
            held.update(range(token.start[0], token.end[0] + 1))
    return len(held - strings)


def moves(path: Path) -> int:
    """Return how often a file calls what moves a file: `a.replace(b)`, `a.rename(b)`, `os.replace(a, b)`."""
    found = 0
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.keywords:
            owner = node.func.value
            in_os = isinstance(owner, ast.Name) and owner.id == "os"
            found += node.func.attr in ("replace", "rename") and len(node.args) == 1 + in_os
    return found


def traced_run() -> tuple[dict[str, list[str]], Counter[str]]:
    """Carry out `clbench run tiny --strategy naive --jobs 1`; return the files on its trip, and what was made.

    Each file comes with the functions that were called in it.
    """
    from clbench.cli import main

    entered: defaultdict[str, dict[str, None]] = defaultdict(dict)
    made: Counter[str] = Counter()
    known: dict[CodeType, str] = {}
    under_way = False

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal under_way
        code = frame.f_code
        if code not in known:
            ours = code.co_filename.startswith(f"{PACKAGE}/") and code.co_flags & OPTIMIZED
            known[code] = Path(code.co_filename).relative_to(PACKAGE).as_posix() if ours else ""
        file = known[code]
        if file and event == "call":
            under_way = under_way or (file, code.co_name) == ("cli/verbs/run.py", "command")
            made[COUNTED.get((file, code.co_name), "")] += 1
            if under_way:
                entered[file][code.co_name] = None
        elif file and event == "return" and code.co_name == "write_record":
            under_way = False

    before = sys.argv
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as fresh,  # what an earlier run left in the cache spares a run some of its work
        patch.dict(os.environ, CLBENCH_CACHE=fresh),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        sys.argv = [
            "clbench", "run", "tiny", "--strategy", "naive", "--jobs", "1", "--device", "cpu", "--quiet",
            "--set", "train.epochs=1", "--results", folder,
        ]  # fmt: skip
        sys.setprofile(look)
        try:
            main()
        except SystemExit as left:
            if left.code:
                raise
        finally:
            sys.setprofile(None)
            sys.argv = before
    # comprehensions and lambdas belong to the functions around them
    named = {file: [name for name in called if not name.startswith("<")] for file, called in entered.items()}
    return named, made


def on_road(entered: Iterable[str]) -> list[str]:
    """Return the files that lie in the folders of the road, in its order."""
    found = [file for file in entered if file.partition("/")[0] in ROAD]
    return sorted(found, key=lambda file: (ROAD.index(file.partition("/")[0]), file))


def private_overrides() -> int:
    """Return how many private methods of a run its subclasses override."""
    import clbench.cost.calibrate
    import clbench.testing  # noqa: F401
    from clbench.train.run import Run

    own = {name for kind in Run.__mro__ for name in vars(kind) if name.startswith("_") and not name.endswith("__")}
    return sum(name in own for kind in Run.__subclasses__() for name in vars(kind))


def base64_share() -> float:
    """Return which part of the bytes of the scenario files are words of base64."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "scenarios").glob("*.yaml"))]
    words = sum(len(word) for text in texts for word in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", text))
    return words / sum(map(len, texts))


def measures() -> Iterator[tuple[str, str, str]]:
    """Yield what is measured, its value, and what it should be."""
    files = sorted(PACKAGE.rglob("*.py"))
    yield "circles of imports", str(len(import_circles())), "0"
    (widest, width), *_ = Counter(path.parent.relative_to(ROOT).as_posix() for path in files).most_common(1)
    yield "widest folder", f"{width} ({widest})", "20"
    yield "loose modules", str(len({path.stem for path in PACKAGE.glob("*.py")} - LOOSE)), "0"
    entered, made = traced_run()
    yield "files of the road that a run enters", str(len(on_road(entered))), "28"
    yield "all files that a run enters", str(len(entered)), ""
    for what in COUNTED.values():
        yield f"{what} made by one run", str(made[what]), "1"
    yield "private methods of the run overridden", str(private_overrides()), "0"
    sizes = _bytes_of_records()
    yield "bytes of a committed record of er", f"{sum(sizes) // len(sizes):,} ({len(sizes)} records)", "37,100"
    yield "base64 in scenario files", f"{base64_share():.0%}", "0%"
    code = Counter({path: lines_of_code(path) for path in files})
    yield "lines of code", f"{code.total():,}", "18,400 for the features of the first table"
    moving = [path for path in files if moves(path)]
    yield "places that move a file", f"{len(moving)} ({', '.join(path.stem for path in moving)})", "1"


def _bytes_of_records() -> list[int]:
    """Return the bytes of the shipped records of `er` on the stand-in of coco_b40c10.

    Nine of them were first measured, of 47,607 on average; a record with more sessions or labels has more.
    """
    folder = ROOT / "results" / "reference" / "coco_b40c10.v1.scenes" / "er"
    return [path.stat().st_size for path in folder.rglob("seed*.json")]


def print_road() -> None:
    """Print the files of the road that a run enters, with what it calls there."""
    entered, _ = traced_run()
    for file in on_road(entered):
        lines = len((PACKAGE / file).read_bytes().splitlines())
        print(f"{file} ({lines} lines): {', '.join(entered[file])}")


def main() -> None:
    """Print the table, or the road."""
    if sys.argv[1:] == ["--road"]:
        print_road()
        return
    rows = list(measures())
    name, value = (max(len(row[place]) for row in rows) for place in (0, 1))
    print(f"{'measure':<{name}}  {'now':>{value}}  wanted")
    for row in rows:
        print(f"{row[0]:<{name}}  {row[1]:>{value}}  {row[2]}")


if __name__ == "__main__":
    main()
