"""How long the command line takes to answer: help, list, and a table of a thousand records.

    python benchmarks/bench_startup.py [--quick]

CPU time (user and system) of a fresh process; the wall clock shows the same on an idle machine and the neighbours' load
on a busy one.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from clbench.cli.comparison import Comparison, main
from clbench.records.record import write_record
from clbench.records.store import record_path

RECORDS = 1000


def cpu_seconds(*words: str, repeats: int) -> float:
    """Return the median CPU time of a process, its first start left out."""
    found = []
    for _ in range(repeats + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(found[1:])


def measure(quick: bool) -> Iterator[Comparison]:
    repeats = 3 if quick else 9
    bare = cpu_seconds("-c", "pass", repeats=repeats)
    for words, most in ((["--help"], 0.15), (["list"], 0.3), (["list", "strategies"], 0.3)):
        seconds = cpu_seconds("-m", "clbench", *words, repeats=repeats)
        yield Comparison(f"clbench {' '.join(words)}", seconds, "s", at_most=most, detail=f"python alone {bare:.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        size = write_records(Path(folder))
        words = ["report", "leaderboard", "coco_b40c10", "--results", folder]
        seconds = cpu_seconds("-m", "clbench", *words, repeats=min(repeats, 3))
        yield Comparison(
            f"clbench report leaderboard, {RECORDS:,} records", seconds, "s", at_most=1.5, detail=f"{size:.0f} KB each"
        )
    loop = "import warnings; warnings.simplefilter('ignore'); import {}"
    bare = cpu_seconds("-c", loop.format("avalanche.training, avalanche.benchmarks"), repeats=repeats // 3)
    ours = cpu_seconds("-c", loop.format("clbench.train.loop"), repeats=repeats // 3)
    yield Comparison(
        "importing the loop",
        ours - bare,
        "s more than",
        "Avalanche alone",
        at_most=0.3,
        detail=f"Avalanche {bare:.2f} s",
    )


def write_records(folder: Path) -> float:
    """Fill a results folder and return the mean size of its records in KB."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from record_factory import METHODS, make_record

    paths = []
    for number in range(RECORDS):
        record = make_record(METHODS[number % len(METHODS)], seed=number // len(METHODS))
        path = record_path(folder, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_record(record, path)
        paths.append(path)
    return statistics.mean(path.stat().st_size for path in paths) / 1e3


if __name__ == "__main__":
    main(measure, doc=__doc__)
