"""What large tables cost now and what they cost before, side by side: time, and the peak of a process of its own.

    python benchmarks/scale_against.py --base CHECKOUT [--only PART] [--repeats N]

CHECKOUT is a working copy of an earlier commit (`git worktree add --detach CHECKOUT 0b7f010`); what it cannot do is
left out. Times are CPU time of one thread, the smallest of three runs in turns (--repeats); peaks are `ru_maxrss` of
the child. Labels are those of `scale_labels`: long-tailed, 8 drawn for an image, ten sessions.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parents[1]
Figures = dict[str, float]


def drawn(rows: int, labels: int) -> tuple[Any, Any]:
    """Return (starts, columns) of long-tailed labels, columns rising in each row; no code of the suite takes part."""
    rng = np.random.default_rng([rows, labels])
    shares = np.random.default_rng(labels).permutation(1.0 / np.arange(1, labels + 1) ** 0.9)
    counts = np.maximum(rng.poisson(8, rows), 1)
    columns = np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(int(counts.sum())))
    owner, turn = np.repeat(np.arange(rows), counts), np.arange(rows)
    # the rarest labels have few images; taking turns leaves none of them without a train image
    columns[np.cumsum(counts) - 1] = (turn // 10 * 9 + turn % 10) % labels
    cells = np.unique(owner * labels + np.minimum(columns, labels - 1))
    starts = np.concatenate([[0], np.cumsum(np.bincount(cells // labels, minlength=rows))])
    return starts.astype(np.int64), (cells % labels).astype(np.int32)


def found(name: str, *modules: str) -> Any:
    """Return what is called `name` in the first of `modules` that is there: it has moved since."""
    for module in modules:
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(module), name)
    raise ImportError(name)


def scenario(labels: int, sessions: int = 10) -> Any:
    spec, of_labels = (found(name, "clbench.spec.scenario", "clbench.spec") for name in ("ScenarioSpec", "LabelsSpec"))
    increment = -(-labels // sessions)
    return spec(name="large", version=1, title="L.", dataset="large", labels=of_labels(increment=increment))


def builder() -> Callable[[Any, Any], Any]:
    """Return what builds a stream. It is imported before a clock starts: in each tree other modules come with it."""
    build: Callable[[Any, Any], Any] = found("build_stream", "clbench.stream.build", "clbench.data.stream")
    return build


def dense(rows: int, labels: int, *, sessions: int = 10) -> Figures:
    """A dense table, checked, and its stream."""
    from clbench.data.table import from_arrays

    starts, columns = drawn(rows, labels)
    build, spec = builder(), scenario(labels, sessions)
    start = time.process_time()
    y = np.zeros((rows, labels), dtype=np.int8)
    y[np.repeat(np.arange(rows), np.diff(starts)), columns] = 1
    split = np.where(np.arange(rows) % 10 == 9, "test", "train")
    table = from_arrays("large", labels=[f"label {k:05d}" for k in range(labels)], y=y, split=split)
    build(table, spec)
    return {"s": time.process_time() - start}


def sparse(rows: int, labels: int) -> Figures:
    """The same as lists that lie on disk: opened, checked, and its stream. None in a build without them."""
    from clbench.data.sparse.files import read_csr

    folder = Path(os.environ["SCALE_FOLDER"]) / f"large-{rows}-{labels}.csr"
    build, spec = builder(), scenario(labels)
    start = time.process_time()
    build(read_csr(folder, root=folder.parent, options={}), spec)
    return {"s": time.process_time() - start}


def written(rows: int, labels: int) -> Figures:
    from clbench.data.sparse.files import write_csr
    from clbench.data.sparse.labels import Entries

    folder = Path(os.environ["SCALE_FOLDER"]) / f"large-{rows}-{labels}.csr"
    starts, columns = drawn(rows, labels)
    names = [f"label {k:05d}" for k in range(labels)]
    write_csr(folder, labels=names, entries=Entries(starts, columns, None, labels, 0), test=np.arange(rows) % 10 == 9)
    return {}


def memory(kind: str, labels: int) -> Figures:
    """Images offered in batches of ten to a full PRS or OCDM memory of 2,000."""
    starts, columns = drawn(2600, labels)
    y = np.zeros((2600, labels), dtype=np.int8)
    y[np.repeat(np.arange(2600), np.diff(starts)), columns] = 1
    held, rng = found(f"{kind.upper()}Memory", f"clbench.nn.{kind}")(2000), np.random.default_rng(0)
    held.add(np.arange(2000), y[:2000], rng=rng)
    start = time.process_time()
    for row in range(2000, 2600, 10):
        held.add(np.arange(row, row + 10), y[row : row + 10], rng=rng)
    return {"ms an image": 1e3 * (time.process_time() - start) / 600}


def precision(rows: int, labels: int) -> Figures:
    """Exact AP of a matrix, beside one pass that finds its largest score, and beside scikit-learn on a few labels."""
    from sklearn.metrics import average_precision_score

    from clbench.metrics.ap import average_precisions

    rng = np.random.default_rng(0)
    truth = (rng.random((rows, labels), dtype=np.float32) < np.geomspace(1e-3, 0.1, labels)).astype(np.int8)
    scores = rng.standard_normal((rows, labels), dtype=np.float32) + 2.9 * truth.astype(np.float32)
    average_precisions(scores[:5000], truth[:5000])
    seconds = {}
    few = range(0, labels, max(labels // 8, 1))
    for name, work in (
        ("a pass", lambda: scores.max()),
        ("clbench", lambda: average_precisions(scores, truth)),
        ("scikit-learn", lambda: [average_precision_score(truth[:, k], scores[:, k]) for k in few]),
    ):
        start = time.process_time()
        work()
        seconds[name] = time.process_time() - start
    sklearn = seconds["scikit-learn"] * labels / len(few)
    return {
        "s": seconds["clbench"],
        "ns a score": 1e9 * seconds["clbench"] / scores.size,
        "ns a score, a pass": 1e9 * seconds["a pass"] / scores.size,
        "x scikit-learn": sklearn / seconds["clbench"],
    }


def streamed(rows: int, labels: int) -> Figures:
    """AP from histograms that are filled in batches of 1,024, beside single passes over as many scores."""
    import hashlib

    import torch

    from clbench.metrics.streamed import StreamedAP, bins_within

    rng = np.random.default_rng(0)
    truth = (rng.random((1024, labels), dtype=np.float32) < np.geomspace(1e-3, 0.1, labels)).astype(np.int8)
    scores = rng.standard_normal((1024, labels), dtype=np.float32) + 2.9 * truth.astype(np.float32)
    state = StreamedAP(labels, bins=bins_within(256 << 20, labels=labels))
    start = time.process_time()
    for _ in range(max(rows // 1024, 1)):
        state.add(scores, truth)
    state.values()
    found = {"ns a score": 1e9 * (time.process_time() - start) / (max(rows // 1024, 1) * scores.size)}
    torch.set_num_threads(1)
    many, features, weights = np.concatenate([scores] * 32), torch.randn(1024, 512), torch.randn(labels, 512)
    passes: dict[str, tuple[Callable[[], object], int]] = {
        "the largest": (lambda: many.max(), many.size),
        "their SHA-256": (lambda: hashlib.sha256(many.data), many.size),
        "NumPy's histogram of all": (lambda: np.histogram(many, bins=state.bins, range=(-18, 18)), many.size),
        "a linear layer of 512 that gives them": (lambda: features @ weights.T, scores.size),
    }
    for name, (work, count) in passes.items():
        work()
        start = time.process_time()
        work()
        found[f"ns, {name}"] = 1e9 * (time.process_time() - start) / count
    return found | {"bins": state.bins}


PARTS: dict[str, tuple[Callable[[], Figures], ...]] = {
    "stream, 10^6 x 10^4, lists": (lambda: sparse(1_000_000, 10_000),),
    "stream, 5 x 10^4 x 10^4, dense": (lambda: dense(50_000, 10_000),),
    "stream, 5 x 10^4 x 10^4, lists": (lambda: sparse(50_000, 10_000),),
    "stream, 122,218 x 80 (COCO's size), dense": (lambda: dense(122_218, 80, sessions=8),),
    "PRS, 10^4 labels": (lambda: memory("prs", 10_000),),
    "PRS, 80 labels": (lambda: memory("prs", 80),),
    "OCDM, 10^4 labels": (lambda: memory("ocdm", 10_000),),
    "OCDM, 80 labels": (lambda: memory("ocdm", 80),),
    "AP, 40,137 x 80": (lambda: precision(40_137, 80),),
    "AP, 10^6 x 64": (lambda: precision(1_000_000, 64),),
    "AP streamed, 10^6 x 10^3": (lambda: streamed(1_000_000, 1_000),),
}
ONLY_NOW = ("lists", "streamed")


def child(name: str, tree: Path, folder: Path, *, prepare: bool = False) -> Figures:
    """Return the figures of one part with the code in `tree`, in a process of its own."""
    paths = os.pathsep.join([str(tree), str(Path(__file__).parent)])
    quiet = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | quiet | {"PYTHONPATH": paths, "SCALE_FOLDER": str(folder)}
    words = [sys.executable, __file__, "--inside", name, *(["--prepare"] if prepare else [])]
    done = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def inside(name: str, *, prepare: bool) -> Figures:
    if prepare:
        size = (1_000_000, 10_000) if "10^6" in name else (50_000, 10_000)
        return written(*size)
    return PARTS[name][0]() | {"peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", type=Path, help="a checkout of the earlier commit")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inside", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside(given.inside, prepare=given.prepare)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only or PARTS:
            new = any(word in name for word in ONLY_NOW)
            trees = {"now": HERE} if new or given.base is None else {"now": HERE, "base": given.base.resolve()}
            if "lists" in name:
                child(name, HERE, Path(folder), prepare=True)
            best: dict[str, Figures] = {}
            for _ in range(given.repeats):
                for which, tree in trees.items():
                    took = child(name, tree, Path(folder))
                    best[which] = {what: min(value, best.get(which, took)[what]) for what, value in took.items()}
            print(name)
            for which, figures in best.items():
                print(f"  {which:5}", ", ".join(f"{value:,.4g} {what}" for what, value in figures.items()), flush=True)
            if len(best) == 2:
                ratios = {
                    k: best["now"][k] / best["base"][k] for k in ("s", "ms an image", "peak MB") if k in best["now"]
                }
                print("  ratio", ", ".join(f"{value:.3f} {what}" for what, value in ratios.items()), flush=True)


if __name__ == "__main__":
    main()
