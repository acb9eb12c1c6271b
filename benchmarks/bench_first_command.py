"""What the first commands cost, against another checkout of clbench: CPU of all processes, wall time, same numbers.

    python benchmarks/bench_first_command.py --against PATH [--rows doctor,show,one] [--repeats 3]
    CLBENCH_DATA=FOLDER python benchmarks/bench_first_command.py --against PATH --rows stored

Every command starts in an empty folder, the two checkouts in turns; medians. CPU is user and system time of all
processes that the command started, those too whose parent did not wait for them (Linux only). The AP matrices of both
must be equal to the last bit, where both follow one protocol. What is neither training nor scoring is the CPU less the
seconds that records give for their sessions, which means something on a quiet machine with one thread a run only.
The row `stored` trains on the photos of FOLDER/corel5k/labels.csv, whose features an unmeasured run of one epoch has
kept before; the others find an empty cache.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER
HERE = Path(__file__).resolve().parent.parent
SWEEP = "scenarios: [tiny]\nstrategies: [naive, er]\nseeds: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"

ROWS = {
    "doctor": "doctor",
    "show": "show tiny",
    "wrong": "run coco_b40c10 --data wrong --results made",
    "one": "run tiny --strategy naive --results made",
    "five": "run tiny --strategy naive,er,lwf,icarl,ewc --results made --jobs 2",
    "twenty": "sweep sweep.yaml --results made --jobs 2",
    "coco": "run coco_b40c10 --results made --jobs 2",
    "stored": "run corel5k_b34c10 --strategy naive --features maps --set train.epochs=20 --results made",
}
"""Row -> command."""
LONG = ("coco", "stored")
"""Rows that are measured only where they are asked for."""


@dataclass
class Measured:
    cpu: float
    wall: float
    aps: dict[str, object]
    protocols: set[int]
    inside: float
    """Seconds of sessions, as the records have them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="the other checkout; without one there is nothing to compare")
    parser.add_argument("--checkout", type=Path, default=HERE, help="the first one; default: this")
    parser.add_argument("--rows", default=",".join(name for name in ROWS if name not in LONG))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_const", dest="repeats", const=1, help="the same as --repeats 1")
    parser.add_argument("--json", help=argparse.SUPPRESS)  # `clbench bench` asks every benchmark for one
    asked = parser.parse_args()
    if asked.against is None:
        print("Nothing was measured: --against PATH names the checkout to compare with.")
        return
    ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
    print(f"{'row':8} {'cpu':>7} {'before':>7} {'ratio':>6}   {'wall':>7} {'before':>7} {'ratio':>6}   rest, ratio")
    for name in asked.rows.split(","):
        found: dict[Path, list[Measured]] = {asked.checkout: [], asked.against: []}
        with tempfile.TemporaryDirectory() as kept:
            caches = {checkout: Path(kept) / str(place) for place, checkout in enumerate(found)}
            if name == "stored":
                for checkout, cache in caches.items():
                    measure(ROWS[name].replace("epochs=20", "epochs=1").split(), checkout.resolve(), cache=cache)
            for _ in range(asked.repeats):
                for checkout, times in found.items():
                    cache = caches[checkout] if name == "stored" else None
                    times.append(measure(ROWS[name].split(), checkout.resolve(), cache=cache))
        new, old = found[asked.checkout], found[asked.against]
        # what a protocol changes are these numbers; within one they must not move
        for side in (new, old) if new[0].protocols != old[0].protocols else ([*new, *old],):
            if any(one.aps != side[0].aps for one in side):
                raise SystemExit(f"{name}: the AP matrices differ")
        line = f"{name:8}"
        for key in ("cpu", "wall"):
            ours, theirs = (statistics.median(getattr(one, key) for one in side) for side in (new, old))
            line += f" {ours:7.2f} {theirs:7.2f} {ours / theirs:6.2f}  "
        rest = [statistics.median(one.cpu - one.inside for one in side) for side in (new, old)]
        print(line + (f" {rest[0]:.1f} {rest[1]:.1f} {rest[0] / rest[1]:.2f}" if new[0].aps else ""), flush=True)


def measure(words: list[str], checkout: Path, *, cache: Path | None = None) -> Measured:
    """Carry out one command of the checkout in an empty folder, with an empty cache or the one that is given."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sweep.yaml").write_text(SWEEP)
        (folder / "wrong").mkdir()
        own = {"PYTHONPATH": str(checkout), "CLBENCH_CACHE": str(cache or folder / "cache"), "PYTHONSAFEPATH": "1"}
        handed = {"CLBENCH_DATA"} if cache else set()  # what other rows find on this machine is not theirs
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "clbench", *words],
            cwd=folder,
            env={k: v for k, v in os.environ.items() if k in handed or not k.startswith("CLBENCH")} | own,
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.monotonic() - begun
        for _ in iter(ended, None):
            pass
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode not in (0, 3, 5):  # 3 and 5 are how a wrong folder ends
            raise SystemExit(f"{' '.join(words)}: {done.stderr[-2000:]}")
        records = {path.relative_to(folder).as_posix(): read(path) for path in folder.glob("made/**/seed*.json")}
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        aps = {path: record["ap"] for path, record in records.items()}
        protocols = {record["protocol"] for record in records.values()}
        return Measured(cpu, wall, aps, protocols, sum(record["times"]["total_seconds"] for record in records.values()))


def read(path: Path) -> dict:
    found: dict = json.loads(path.read_text())
    return found


def ended() -> int | None:
    """Return the next process that ends; None when there is none left."""
    try:
        return os.wait()[0]
    except ChildProcessError:
        return None


if __name__ == "__main__":
    main()
