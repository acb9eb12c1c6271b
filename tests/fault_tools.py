"""A small data set of real files, and processes that can be killed, for tests of faults."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import forked
import numpy as np
from forked import FORKS, Forked
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 60, 220), "white": (240, 240, 240)}

SCENARIO = """
name: own
version: 1
title: Four colours in two sessions
dataset: labels.csv
labels:
  sessions: [[red, green], [blue, white]]
train: {{backbone: clbench_small, image_size: 32, epochs: {epochs}, batch_size: 8, optimizer: adamw, lr: 1.0e-3,
        loss: bce, reduction: mean, augment: flip}}
strategies: [naive]
seeds: [0]
"""


def make_data(folder: Path, *, train: int = 40, test: int = 16, epochs: int = 2) -> Path:
    """Write a table, its photos (JPEG) and a scenario into `folder`; return the scenario's path."""
    (folder / "photos").mkdir(parents=True)
    rng = np.random.default_rng(0)
    lines = ["file,split,labels"]
    for number in range(train + test):
        carried = [name for name in COLOURS if rng.random() < 0.4] or ["red"]
        pixels = rng.integers(90, 130, (40, 48, 3)).astype(np.uint8)
        for place, name in enumerate(COLOURS):
            if name in carried:
                pixels[10 * place : 10 * place + 10, :24] = COLOURS[name]
        Image.fromarray(pixels).save(folder / "photos" / f"{number:03d}.jpg")
        lines.append(f"photos/{number:03d}.jpg,{'train' if number < train else 'test'},{';'.join(carried)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    path = folder / "own.yaml"
    path.write_text(SCENARIO.format(epochs=epochs))
    return path


PACED = '''
"""For tests of stopping."""

import glob
import os
import time

from torch import Tensor

from clbench import Batch, Replay


class {name}(Replay):
    """Replays, and takes its time where PACE says so; waits while there are files that HELD describes, and no `go`."""

    memory: int = 12

    def after_step(self, batch: Batch, logits: Tensor) -> None:
        super().after_step(batch, logits)
        time.sleep(float(os.environ.get("PACE", "0")))
        held = os.environ.get("HELD", "").replace("NAME", type(self).__name__.lower())
        while held and glob.glob(held, recursive=True) and not os.path.exists("go"):
            time.sleep(0.02)
'''


def paced(folder: Path, *names: str) -> list[str]:
    """Write strategies that are slow in processes of `start`, whatever the machine; return their paths.

    In a process whose HELD is a pattern they wait, after a step, from when a file matches until there is a file `go`;
    NAME in it is the strategy's.
    """
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(PACED.format(name=name.capitalize()))
    return [str(folder / f"{name}.py") for name in names]


def environment(cache: Path) -> dict[str, str]:
    """The environment of a process that is to be as a user's, with a cache of its own."""
    return os.environ | {"CLBENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def clbench(*words: object, cwd: Path, timeout: float = 240, env: dict[str, str] | None = None) -> Any:
    """Run the command line as a process of its own and return what it said."""
    return forked.clbench(*words, cwd=cwd, env=environment(cwd / "cache") | (env or {}), timeout=timeout)


def start(*words: object, cwd: Path, held: str = "") -> Forked:
    """Start the command line in a session of its own, as a terminal would; strategies are slow in it, or `held`."""
    how = {"HELD": held} if held else {"PACE": "0.1"}
    return Forked(words, cwd=cwd, env=environment(cwd / "cache") | how)


def wait_until(found: Path, pattern: str, *, process: Forked) -> None:
    """Wait until a file appears; fail when the process ends before."""
    for _ in range(4000):
        if list(found.rglob(pattern)):
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} after minutes")


def finish(scenario: Path, strategy: str, *, results: Path) -> Path:
    """Carry out, or go on with, seed 0 of a strategy in this process and return its record."""
    from clbench.plan.plans import plan
    from clbench.train.run import RunOptions, run

    (wanted,) = plan(str(scenario), strategies=[strategy], seeds=[0])
    return run(wanted, RunOptions(results=results, device="cpu"))


def drive(plan: dict[str, Any], *, cwd: Path, timeout: float = 280) -> dict[str, Any]:
    """Let the driver carry out runs in processes that are killed as `plan` says; return what became of them."""
    from fault_driver import alone

    process = FORKS.Process(target=alone, args=(plan, cwd, environment(cwd / "cache")))
    process.start()
    process.join(timeout)
    said = cwd / "driven.txt"
    ended = process.exitcode
    process.kill()
    process.join()
    assert ended == 0, f"{ended} after at most {timeout} s: {said.read_text()[-3000:] if said.exists() else ''}"
    found: dict[str, Any] = json.loads((cwd / "driven.json").read_text())
    return found


def children(pid: int) -> list[int]:
    """The processes below a process, as /proc tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found += [int(stat.parent.name), *children(int(stat.parent.name))]
    return found
