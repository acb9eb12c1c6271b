"""Which part breaks first on the way to internet scale: bytes, seconds and peak memory of each, measured.

    python benchmarks/scaling.py [--rows 1000000] [--labels 10000] [--only NAME] [--json FILE]

Every part runs in a process of its own whose memory is limited, on one thread; times are its CPU time, the peak its
largest resident memory. What is dense in images and labels is measured on a part of the images or of the labels, which
is printed; docs/scaling.md holds the table and what follows from it. 10^6 rows take about five minutes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

LIMIT = 8 << 30
Figures = dict[str, float]


@dataclass(frozen=True)
class Part:
    """A measurement, `module.function`, and on how many rows and labels it is made, given those of the stream.

    Named, not imported: the peak of a new process starts from that of the process which started it.
    """

    work: str
    rows: Callable[[int], int] = lambda rows: rows
    labels: Callable[[int], int] = lambda labels: labels


def hundred(labels: int) -> int:
    return min(labels, 96)


PARTS = {
    "labels, dense": Part("scale_labels.dense", rows=lambda rows: max(min(rows // 20, 50_000), 200)),
    "labels, sparse": Part("scale_labels.compressed"),
    "labels, a whole session": Part("scale_labels.whole_session"),
    "ids and paths": Part("scale_labels.texts", labels=lambda labels: 2),
    "order of an epoch": Part("scale_labels.shuffling", labels=lambda labels: 0),
    "AP, exact": Part("scale_scores.exact", labels=hundred),
    "AP, streamed": Part("scale_scores.streamed", rows=lambda rows: min(rows, 1_000_000), labels=hundred),
    "memory, 80 labels": Part("scale_memory.selection", labels=lambda labels: min(labels, 80)),
    "memory, 1,000 labels": Part("scale_memory.selection", labels=lambda labels: min(labels, 1_000)),
    "memory, all labels": Part("scale_memory.selection"),
    "memory, whole stream": Part("scale_memory.reservoir", labels=lambda labels: min(labels, 1_000)),
    "shards, NumPy": Part("scale_shards.arrays"),
    "shards, Parquet": Part("scale_shards.parquet"),
    "shards, tar": Part("scale_shards.tars"),
    "shards, names": Part("scale_shards.names"),
}


def inside(name: str, *, rows: int, labels: int) -> Figures:
    """Carry out a part here, in a temporary folder, and return its figures with the peak of memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))  # a part that grows beyond fails, and the machine lives
    module, _, function = PARTS[name].work.partition(".")
    work: Callable[[int, int, Path], Figures] = getattr(importlib.import_module(module), function)
    before = peak()
    with tempfile.TemporaryDirectory() as folder:
        found = work(rows, labels, Path(folder))
    return found | {"peak bytes": peak(), "bytes before the work": before}


def peak() -> int:
    """Return the most memory this process ever had resident, in bytes; mapped files count."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measured(name: str, *, rows: int, labels: int) -> Figures:
    """Carry out a part in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    words = [sys.executable, __file__, "--inside", name, "--rows", str(rows), "--labels", str(labels)]
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def shown(what: str, value: float) -> str:
    if "bytes" in what and "an image" not in what:
        return f"{value / 1e6:,.1f} MB"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=10_000)
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; repeat for several")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--inside", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside(arguments.inside, rows=arguments.rows, labels=arguments.labels)))
        return
    kept = {}
    for name in arguments.only or PARTS:
        part = PARTS[name]
        rows, labels = part.rows(arguments.rows), part.labels(arguments.labels)
        click.secho(f"{name}: {rows:,} images, {labels:,} labels", bold=True)
        figures = measured(name, rows=rows, labels=labels)
        for what, value in figures.items():
            click.echo(f"  {what}: {shown(what, value)}")
        kept[name] = {"rows": rows, "labels": labels, **figures}
    if arguments.json:
        arguments.json.write_text(json.dumps(kept, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
