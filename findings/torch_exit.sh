#!/usr/bin/env bash
# A process that has imported torch and does nothing spends a quarter of its CPU time on leaving: Python, at its end, looks
# for garbage among the half a million objects of the modules, several times. `gc.freeze` as the last thing that is done
# (registered first with atexit, as these run backwards) takes them out of sight, and the same process leaves in a third
# of the time. Nothing else of it changes: what atexit and weakref.finalize promise is done before.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python=$("$(dirname "$0")/with.sh" "$place" torch==2.14.1 numpy==2.4.6)
"$python" - <<'PY'
import resource
import statistics
import subprocess
import sys

import torch

LEAVES = "import atexit, time; atexit.register(lambda: print(time.process_time()));"
WAYS = {"as usual": "", "with gc.freeze": "import gc; atexit.register(gc.freeze);"}


def seconds(code: str) -> tuple[float, float]:
    """Return the CPU seconds of a process before it leaves and after."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(said), whole - float(said)


print("Python", sys.version.split()[0], "torch", torch.__version__)
found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
for _ in range(7):
    for way, first in WAYS.items():
        found[way].append(seconds(f"import atexit; {first} {LEAVES} import torch"))
leaving = {}
for way, times in found.items():
    inside, leaving[way] = (statistics.median(each) for each in zip(*times))
    print(f"{way}: {inside:.2f} s until it leaves, {leaving[way]:.2f} s to leave")
assert leaving["as usual"] > 1.7 * leaving["with gc.freeze"], "it is otherwise now"
PY
