"""The benchmarks of a checkout: finding them, running each in a process of its own, reading what they found."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clbench.cli.comparison import Comparison
from clbench.errors import UsageError, suggest
from clbench.files import roots

PREFIX = "bench_"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark's name, its file and the first line of its description."""

    name: str
    path: Path
    title: str


def benchmarks() -> dict[str, Benchmark]:
    """Return the benchmarks by name. Raises UsageError outside a checkout."""
    root = roots.shipped_root()
    folder = root / "benchmarks" if root else None
    if folder is None or not folder.is_dir():
        raise UsageError(
            "The benchmarks are not part of an installed clbench.",
            hint="They need a checkout: clone the repository, pip install -e '.[bench]' there, clbench bench.",
        )
    found = {}
    for path in sorted(folder.glob(f"{PREFIX}*.py")):
        name = path.stem.removeprefix(PREFIX)
        title = (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]
        found[name] = Benchmark(name, path, title)
    return found


def chosen(names: tuple[str, ...]) -> list[Benchmark]:
    """Return the benchmarks called `names`, or all of them."""
    found = benchmarks()
    for name in names:
        if name not in found:
            raise UsageError(f"There is no benchmark '{name}'.{suggest(name, found)}", hint="clbench bench --list")
    return [found[name] for name in names or found]


def run(benchmark: Benchmark, *, quick: bool) -> tuple[list[Comparison], int]:
    """Run a benchmark, its lines going to stdout as they come; return what it found and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "found.json"
        words = [sys.executable, str(benchmark.path), "--json", str(kept), *(["--quick"] if quick else [])]
        # one thread: ratios of one core carry over to other machines, those of two or sixteen do not
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        status = subprocess.run(words, env=environment, check=False).returncode
        if not kept.exists():
            return [], status
        plain = json.loads(kept.read_text())
    fields = Comparison.__dataclass_fields__
    return [Comparison(**{name: item[name] for name in fields}) for item in plain], status
