"""One run shared by processes that a Ray cluster places: what each is told, what it tells, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest

from clbench.errors import DataError
from clbench.many.ray import together
from clbench.many.ray.mailbox import Mailbox
from clbench.records.record import read_record

TELLS = """
import os, sys, json
told = {name: os.environ[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")}
print(json.dumps([sys.argv[1:], os.getcwd(), told]))
print("wrong", file=sys.stderr)
sys.exit(int(os.environ["RANK"]))
"""
WAITS = """
import signal, sys, time
signal.signal(15, lambda *_: sys.exit(130))
print("begun", flush=True)
time.sleep(60)
"""


def test_a_process_has_the_variables_of_torchrun_and_its_lines_come_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "COMMAND", (sys.executable, "-c", TELLS))
    box = Mailbox()
    code = together.member(["run", "tiny"], str(tmp_path), {"RANK": "3", "WORLD_SIZE": "4"}, box)
    said = dict(box.take())
    assert code == 3 and said["err"] == "wrong"
    words, folder, variables = json.loads(said["out"])
    assert (words, Path(folder)) == (["run", "tiny"], tmp_path)
    assert variables == {"RANK": "3", "LOCAL_RANK": "0", "WORLD_SIZE": "4"}


def test_a_process_is_asked_to_stop_when_the_driver_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "COMMAND", (sys.executable, "-c", WAITS))
    monkeypatch.setattr(together, "LISTEN_SECONDS", 0.02)
    box, codes = Mailbox(), list[object]()
    put, begun = box.put, threading.Event()
    monkeypatch.setattr(box, "put", lambda said: (put(said), begun.set()))
    asked = threading.Thread(target=lambda: codes.append(together.member([], str(tmp_path), {}, box)))
    asked.start()
    assert begun.wait(60)
    box.stop()
    asked.join(60)
    assert codes == [130]


def test_a_node_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    found = together.member([], str(tmp_path / "gone"), {}, Mailbox())
    assert isinstance(found, DataError) and "gone is not on the node" in found.message


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.exhaustive
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_run_that_a_cluster_shares_is_the_run_that_processes_share(tmp_path: Path) -> None:
    records = []
    for name, how in (("cluster", ["--address", "local"]), ("here", [])):
        words = ["run", "tiny", "--strategy", "naive", "--device", "cpu", "--devices", "2", "--results", name, *how]
        done = subprocess.run(
            [sys.executable, "-m", "clbench", *words],
            cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=280,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert "naive" in done.stdout
        (path,) = (tmp_path / name).rglob("seed0.json")
        records.append(read_record(path))
    assert records[0].ap == records[1].ap and records[0].environment["world_size"] == 2
