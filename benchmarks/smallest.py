"""Runs every script of this folder at its smallest, to see that it still gets to its end; the figures mean little.

    python benchmarks/smallest.py [PART OF A NAME]

A line for each with its seconds, and what it said where it failed; the exit code is 1 where one did. A script that
measures against an older checkout is given this one. The nightly job does this, since a benchmark that nobody runs
breaks in silence.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = "OUT"
"""Stands for a temporary folder in the words below."""
USUAL = ("--quick",)
"""What the smallest form of every `bench_*.py` is, where the table below has no other."""
WORDS: dict[str, tuple[str, ...]] = {
    "bench_first_command.py": ("--against", str(HERE.parent), "--quick", "--rows", "doctor,show,wrong,one"),
    "exports/write_open_images.py": (OUT, "--images", "1000", "--labels", "20"),
    "faults/inject.py": ("--check",),
    "measure_docstrings.py": (),
    "measure_house.py": (),
    "measure_ranking.py": (str(HERE.parent / "results" / "reference"),),
    "scale_against.py": ("--repeats", "1", "--only", "stream, 122,218 x 80 (COCO's size), dense"),
    "scale_record.py": (OUT, "--images", "2000", "--labels", "20", "--features", "16"),
    "scaling.py": ("--rows", "3000", "--labels", "60"),
    "storm.py": ("--kills", "2", "--flips", "3", "--inputs", "90"),
    "toy_ofml_ofol.py": ("--seeds", "1", "--out", OUT),
}
"""Script -> words."""
PARTS = ("scale_labels.py", "scale_memory.py", "scale_scores.py", "scale_shards.py")
"""Modules that `scaling.py` runs."""
ELSEWHERE = {
    "exports/write_exports.py": "needs the labelling tools whose exports it writes",
    "few_photos.py": "needs the photos of Corel-5K",
    "old_build/build.py": "is part of on_old_build.py",
    "old_build/cheats.py": "is part of on_old_build.py",
    "old_build/door.py": "is part of on_old_build.py",
    "old_build/runs.py": "is part of on_old_build.py",
    "old_build/strangers.py": "is part of on_old_build.py",
    "old_build/values.py": "is part of on_old_build.py",
    "on_old_build.py": "needs the tree of an old build",
    "smallest.py": "is this",
}
"""What cannot be run anywhere and at any time, and why."""
LIMIT = 1800
"""Seconds after which a script is taken for one that hangs."""


def smallest() -> dict[str, tuple[str, ...]]:
    """Return script -> words, for all that can be run here."""
    return {path.name: USUAL for path in sorted(HERE.glob("bench_*.py"))} | WORDS


def run(script: str, words: Sequence[str]) -> tuple[float, str]:
    """Return the seconds that a script took and, where it failed, the end of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        # without a GPU its benchmark goes through the motions
        environment = os.environ | {"OMP_NUM_THREADS": "1", "BENCH_DEVICE": "cpu"}
        environment |= {"CLBENCH_CACHE": str(Path(folder) / "cache"), "PYTHONPATH": str(HERE.parent)}
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / script), *(folder if word == OUT else word for word in words)],
                cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return time.monotonic() - begin, f"it was not through after {LIMIT} s"
        said = f"exit code {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}" if done.returncode else ""
    return time.monotonic() - begin, said


def main() -> int:
    """Run those that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", nargs="?", default="")
    asked = parser.parse_args()
    wanted = {script: words for script, words in smallest().items() if asked.part in script}
    failed = 0
    for script, words in wanted.items():
        seconds, said = run(script, words)
        failed += bool(said)
        print(f"{'FAILED' if said else 'ran':6} {seconds:6.1f} s  {script}{said and chr(10) + said}", flush=True)
    print(f"{len(wanted)} scripts, {failed} failed")
    return int(bool(failed) or not wanted)


if __name__ == "__main__":
    sys.exit(main())
