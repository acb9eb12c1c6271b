"""Building a stream at the size of MS-COCO against a plain loop over images.

    python benchmarks/bench_stream.py [--quick]

The label matrix is generated with COCO's numbers of images and labels; with CLBENCH_REALDATA it is the real one.
"""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from clbench.cli.comparison import Comparison, main
from clbench.data.table import LabelTable, from_arrays
from clbench.spec.scenario import LabelsSpec, ScenarioSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Stream

TRAIN, TEST, LABELS = 82_081, 40_137, 80
SPEC = ScenarioSpec(name="b0c10", version=1, title="COCO B0-C10", dataset="coco", labels=LabelsSpec(increment=10))
T = TypeVar("T")


def coco_sized(*, seed: int = 0) -> LabelTable:
    """Every image has a label, three on average; the commonest label is on half of the images, as `person` is."""
    rng = np.random.default_rng(seed)
    n = TRAIN + TEST
    rates = np.r_[0.55, np.geomspace(0.1, 0.002, LABELS - 1)]
    y = rng.random((n, LABELS)) < rates
    y[np.arange(n), rng.integers(0, LABELS, n)] |= ~y.any(axis=1)
    ids = [f"{number:012d}" for number in rng.permutation(n).tolist()]
    split = ["train"] * TRAIN + ["test"] * TEST
    return from_arrays("coco", labels=[f"label {i:02d}" for i in range(LABELS)], y=y, ids=ids, split=split)


def plain(table: LabelTable) -> list[tuple[list[str], list[list[int]], list[str]]]:
    """The same sessions by a loop over images: train ids, targets and growing test ids of each."""
    labels = sorted(table.labels)
    column = [table.labels.index(label) for label in labels]
    sessions = []
    for start in range(0, len(labels), 10):
        train, test = [], []
        for row in range(len(table.ids)):
            if table.split[row] == "train":
                if any(table.member[row, k] for k in column[start : start + 10]):
                    targets = [-1] * start + [int(table.y[row, k]) for k in column[start : start + 10]]
                    train.append((str(table.ids[row]), targets))
            elif any(table.member[row, k] for k in column[: start + 10]):
                test.append(str(table.ids[row]))
        train.sort()
        sessions.append(([image for image, _ in train], [targets for _, targets in train], sorted(test)))
    return sessions


def same(stream: Stream, sessions: list[tuple[list[str], list[list[int]], list[str]]]) -> bool:
    ids = stream.table.ids
    return all(
        ids[session.rows].tolist() == rows
        and session.targets.tolist() == targets
        and ids[session.test_rows].tolist() == test
        for session, (rows, targets, test) in zip(stream.sessions, sessions, strict=True)
    )


def timed(work: Callable[[], T], *, repeats: int = 1) -> tuple[T, float]:
    """Return the result and the best time of `repeats` calls, in seconds."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return result, best


def peak(work: Callable[[], object]) -> float:
    """Return the most memory that `work` held beyond what was there before, in MiB."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 2**20


def measure(quick: bool) -> Iterator[Comparison]:
    realdata = os.environ.get("CLBENCH_REALDATA")
    if realdata:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
        import realtables

        table = realtables.coco2014(Path(realdata))
    else:
        table = coco_sized()
    stream, fast = timed(lambda: build_stream(table, SPEC), repeats=3 if quick else 7)
    _, digest = timed(stream.digest)
    sessions, slow = timed(lambda: plain(table))
    if not same(stream, sessions):
        raise SystemExit("the plain loop builds other sessions")
    size = f"{len(table):,} images, {len(table.labels)} labels"
    yield Comparison(
        f"building a stream of {size}",
        slow / fast,
        unit="times as fast as",
        baseline="a loop over images",
        at_least=20,
        detail=f"{fast:.3f} s against {slow:.3f} s, digest {digest:.3f} s",
    )
    yield Comparison("memory held while building", peak(lambda: build_stream(table, SPEC)), unit="MiB", at_most=100)


if __name__ == "__main__":
    main(measure, doc=__doc__)
