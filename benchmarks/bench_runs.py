"""What runs cost beside their steps: saving their state, and being one of a sweep's.

    python benchmarks/bench_runs.py [--quick]

States: a ResNet-50 with AdamW's two moments, written as runs write it (whole or not at all, on the disk before it
counts) against torch.save to the same folder, on the disk too; wall clock. A run saves one after each session and, by
default, every ten minutes. Sweeps: equal runs on all cores by `clbench sweep`; what its processes were there for, less
what the records say that training and scoring took, is its overhead, given as a share of a run of five minutes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from clbench.cli.comparison import Comparison, in_turns, main, ratio
from clbench.files.machine import cores
from clbench.nn.backbones.by_name import build_backbone
from clbench.nn.heads.by_name import build_head
from clbench.records.record import read_record
from clbench.train.options import RunOptions
from clbench.train.resume import state as states

RUN_SECONDS = 300.0
SWEEP = "scenarios: [tiny]\nstrategies: [naive]\nseeds: {seeds}\nset: {{train.epochs: {epochs}}}\n"


def big_state() -> dict[str, Any]:
    """Return a state as a run has it after a step."""
    backbone = build_backbone("resnet50", image_size=64)
    head = build_head("linear", width=int(backbone.width), options={})
    head.grow(80)
    network = torch.nn.ModuleDict({"backbone": backbone, "head": head})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    parts: dict[str, Any] = {name: {} for name in states.PARTS}
    return parts | {"strategy": network.state_dict(), "plugins": optimizer.state_dict()}


def savings(quick: bool) -> Iterator[Comparison]:
    state = big_state()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        ours, bare = Path(folder) / "state.pt", Path(folder) / "bare.pt"

        def plain() -> None:
            with bare.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())

        ways = {"ours": lambda: states.save(state, ours), "torch.save": plain}
        seconds = in_turns(ways, repeats=3 if quick else 9, clock=time.perf_counter)
        start = time.perf_counter()
        states.load(ours)
        loaded = time.perf_counter() - start
        size = ours.stat().st_size / 1e6
    saved = statistics.median(seconds["ours"])
    yield Comparison(
        f"saving a state of {size:.0f} MB (ResNet-50, AdamW)",
        ratio(seconds, "ours", "torch.save"),
        "times the time of",
        "torch.save on the disk",
        at_most=1.5,
        detail=f"{saved:.2f} s; loaded in {loaded:.2f} s",
    )
    between = RunOptions().save_minutes
    share = 100 * saved / (60 * between)
    yield Comparison(f"share of {between:g} minutes that saving it takes", share, "%", at_most=1.0)


def sweep(quick: bool) -> Comparison:
    workers = cores()
    runs, epochs = workers * (2 if quick else 4), 20 if quick else 60
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.yaml"
        path.write_text(SWEEP.format(seeds=list(range(runs)), epochs=epochs))
        words = ["sweep", str(path), "--results", folder, "--device", "cpu", "--jobs", str(workers)]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "clbench", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        there = (time.perf_counter() - start) * workers
        took = [read_record(record).times.total_seconds for record in Path(folder).rglob("seed*.json")]
    assert len(took) == runs
    overhead = (there - sum(took)) / runs
    return Comparison(
        "five-minute runs of a sweep, share of its processes' time that is training and scoring",
        RUN_SECONDS / (RUN_SECONDS + overhead),
        "of",
        "all of it",
        at_least=0.97,
        detail=f"{overhead:.1f} s beside each run; {runs} runs of {statistics.median(took):.0f} s, {workers} at a time",
    )


def measure(quick: bool) -> Iterator[Comparison]:
    torch.set_num_threads(1)
    yield from savings(quick)
    yield sweep(quick)


if __name__ == "__main__":
    main(measure, doc=__doc__)
