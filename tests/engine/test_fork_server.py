"""Workers are forks of a server that has imported the loop, and no fork inherits what does not survive one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import pytest

from clbench.many.fork_server import PRELOADED, worker_context

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes are spawned")


@pytest.fixture(autouse=True)
def fresh_server() -> None:
    """Every test has a server of its own: one that an earlier test of this process started may have imported less."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


AS_A_SERVER = f"""
import os, signal, threading, time
import torch
def touched(*_, **__):
    raise AssertionError("a GPU was touched before the fork")
torch.cuda._lazy_init = torch.cuda.is_available = torch.cuda.device_count = touched
torch._C._cuda_getDeviceCount = torch._C._cuda_init = touched
early = False
os.register_at_fork(after_in_child=lambda: early and os.kill(os.getpid(), signal.SIGTERM))  # before the server's own
import {PRELOADED}
assert not torch.cuda.is_initialized() and not torch.cuda._is_in_bad_fork()
assert threading.active_count() == 1
early = True
child = os.fork()
if not child:
    time.sleep(60)
    os._exit(0)
assert os.waitpid(child, 0)[1] == signal.SIGTERM
assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""


TOLD = """
import os, signal, torch
from pathlib import Path
from clbench.many.fork_server import take_environment
take_environment(environment)
usual = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
Path(found).write_text(f"{os.getppid()} {usual} {os.environ.get('ONLY_NOW')} {torch.cuda.is_initialized()}")
"""


def worker_tells(found: Path, **environment: str) -> list[str]:
    """Return what a worker says: its parent, whether SIGTERM ends it, ONLY_NOW, and whether it has touched a GPU."""
    names = {"found": str(found), "environment": os.environ | environment}
    worker = worker_context().Process(target=exec, args=(TOLD, names))
    worker.start()
    worker.join(120)
    assert worker.exitcode == 0
    return found.read_text().split(" ")


def test_the_server_touches_no_gpu_starts_no_thread_and_loses_no_signal_to_a_fork():
    done = subprocess.run([sys.executable, "-c", AS_A_SERVER], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@linux
def test_workers_are_forks_of_one_server_with_the_environment_of_their_parent(tmp_path: Path):
    first, second = (worker_tells(tmp_path / name, ONLY_NOW=name) for name in ("first", "second"))
    assert first[0] == second[0] != str(os.getpid())
    assert (first[1:], second[1:]) == (["True", "first", "False"], ["True", "second", "False"])


@linux
def test_a_worker_ends_on_the_signal_that_its_server_outlives(tmp_path: Path):
    worker = worker_context().Process(target=time.sleep, args=(60,))
    worker.start()
    server = int(worker_tells(tmp_path / "told")[0])
    os.kill(server, signal.SIGTERM)
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == -signal.SIGTERM
    assert int(worker_tells(tmp_path / "again")[0]) == server
