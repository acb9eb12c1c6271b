"""Plans for worker processes are made in one of them, and are what they would be anywhere."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from clbench.many.buildable import planned
from clbench.plan.plans import plan
from clbench.train.options import RunOptions

CODE = """
import os, signal, sys, threading, time
from functools import partial
from pathlib import Path
from clbench.errors import UsageError
from clbench.many.fork_server import in_worker
from clbench.many.buildable import planned
from clbench.many.sweep_file import expand_all
from clbench.plan.plans import plan
from clbench.train.options import RunOptions

how = RunOptions(device="cpu")
for item in planned(partial(expand_all, [Path("sweep.yaml")]), how, jobs=2):
    print(item.configuration)
assert "torch" not in sys.modules
try:
    planned(partial(plan, "tiny", strategies=["naive", "broken.py"]), how, jobs=2)
except UsageError as error:
    print(error)
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
begin = time.monotonic()
try:
    in_worker(partial(time.sleep, 200))
except KeyboardInterrupt:
    print(time.monotonic() - begin < 100)
planned(partial(plan, "tiny", strategies=["naive"]), how, jobs=2)
print("torch" in sys.modules)  # one run needs no worker, and is carried out here
"""
BROKEN = '''"""."""
import nothing_of_that_name
from clbench import Strategy


class Broken(Strategy):
    """Cannot be imported."""
'''


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")
def test_plans_made_by_a_worker_are_the_same_and_bring_no_torch_here(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "sweep.yaml").write_text("scenarios: [tiny]\nstrategies: [naive, er]\nseeds: [0]\n")
    done = subprocess.run([sys.executable, "-c", CODE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = planned(partial(plan, "tiny", strategies=["naive", "er"]), RunOptions(device="cpu"), jobs=2)
    *configurations, broken, hint, left_at_once, torch_at_last = done.stdout.splitlines()
    assert configurations == [item.configuration for item in here]
    assert "broken.py, line 2: cannot be imported: ModuleNotFoundError" in broken
    assert hint == "  pip install nothing_of_that_name"
    assert left_at_once == torch_at_last == "True"
    assert not done.stderr, "nobody complains of having been interrupted"
