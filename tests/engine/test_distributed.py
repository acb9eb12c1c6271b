"""One run on several processes is the run of one process."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import several_ranks
from fault_tools import paced
from forked import FORKS, Forked, clbench
from tiny_scenarios import backbone_of

from clbench.plan import catalog
from clbench.ranks import together
from clbench.ranks.together import gathered, mine, shard
from clbench.records.record import read_record
from clbench.train.failures import lost

# SGD, because Adam makes steps of a zero gradient's rounding; the network of `tiny` has batch norms
RUN = ["run", "tiny", "--device", "cpu", "--set", "train.optimizer=sgd", "--set", "train.lr=0.01"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def run(*words: object, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run a command that starts processes of its own."""
    command = [sys.executable, "-m", "clbench", *map(str, words)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False)


def as_torchrun_has_it(count: int) -> list[dict[str, str]]:
    """Return the variables that torchrun sets for each of `count` processes of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(count))
    return [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def shared(count: int, *words: object, cwd: Path) -> list[str]:
    """Let `count` forked processes share a command's runs, and return what each of them printed."""
    ranks = [Forked(words, cwd=cwd, env=ENVIRONMENT | variables) for variables in as_torchrun_has_it(count)]
    said = [rank.communicate(timeout=900) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * count, said
    return [out for out, _ in said]


def compared(one: Path, several: Path, *, world: int, within: float) -> None:
    """Compare every record below `one` with that of the same configuration below `several`."""
    records = sorted(one.rglob("seed0.json"))
    assert records
    for path in records:
        other = several / path.relative_to(one)
        alone, shared = read_record(path), read_record(other)
        assert alone.costs == shared.costs, path
        assert f"world-{world}" in shared.marks and shared.environment["world_size"] == world
        for entry in alone.scores:
            ours, theirs = (np.load(file.with_suffix("") / entry.file) for file in (other, path))
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=within, err_msg=str(path))


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "images"), [pytest.param(2, 7, marks=pytest.mark.exhaustive), (3, 2)])
def test_processes_compute_together_what_one_computes(processes: int, images: int, tmp_path: Path) -> None:
    told_by_first = tmp_path / "told.json"
    several = [
        FORKS.Process(target=several_ranks.computed, args=(variables, images, told_by_first))
        for variables in as_torchrun_has_it(processes)
    ]
    for process in several:
        process.start()
    for process in several:
        process.join(240)
    assert [process.exitcode for process in several] == [0] * processes
    told = json.loads(told_by_first.read_text())
    assert len(told) == processes
    for found in told:
        assert max(found.values()) < 1e-4, found


@pytest.mark.slow
def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    words = [*RUN, "--strategy", "naive,podnet"]
    one = clbench(*words, "--jobs", "1", "--results", tmp_path / "one", cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    first, second = shared(2, *words, "--results", tmp_path / "two", cwd=tmp_path)
    assert first and not second, "one of them speaks"
    # rounding apart; weights moved by 2e-7 of themselves move scores of a single process as far
    compared(tmp_path / "one", tmp_path / "two", world=2, within=1e-4)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("inside", [False, True], ids=["on features", "inside a transformer"])
def test_three_processes_give_the_scores_of_one_whatever_the_method(inside: bool, tmp_path: Path) -> None:
    names = {entry.name for entry in catalog.strategies() if entry.origin == "shipped"} - {"sadcl"}
    names = {name for name in names if bool(backbone_of(name)) is inside}
    words = [*RUN, "--strategy", ",".join(sorted(names)), *(["--set", *backbone_of("l2p")] if inside else [])]
    for folder, how in (("one", ["--jobs", "1"]), ("three", ["--devices", "3"])):
        done = run(*words, *how, "--results", str(tmp_path / folder), timeout=1700)
        assert done.returncode == 0, done.stderr
    compared(tmp_path / "one", tmp_path / "three", world=3, within=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("how", ["killed", pytest.param("stopped", marks=pytest.mark.exhaustive)])
def test_a_run_whose_processes_are_ended_goes_on_to_the_same_record(how: str, tmp_path: Path) -> None:
    # killed after its first steps; stopped some seconds later, for which there has to be enough to do
    often, epochs = (["--save-minutes", "0"], 3) if how == "killed" else ([], 40)
    (strategy,) = paced(tmp_path / "own", "held") if how == "killed" else ["naive"]
    words = [*RUN, "--strategy", strategy, "--set", f"train.epochs={epochs}", "--results"]
    command = [sys.executable, "-m", "clbench", *words, str(tmp_path / how), "--devices", "2", *often]
    held = {"HELD": f"{tmp_path / how}/**/state.pt"} if how == "killed" else {}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT | held, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list((tmp_path / how).rglob("state.pt" if how == "killed" else "progress.json")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    if how == "killed":
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
        os.kill(int(children.split()[-1]), signal.SIGKILL)
        (tmp_path / "go").touch()
    else:
        time.sleep(3)  # some steps
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    if how == "killed":
        assert process.returncode == 5
        assert re.search(r"Process \d of 2 was killed \(SIGKILL\)", said) and "Traceback" not in said
    else:
        assert process.returncode == 130 and said.count("the state is saved in") == 1, said
    assert list(tmp_path.rglob("state.pt")) and not list(tmp_path.rglob("seed0.json"))
    records = []
    for folder in (how, "whole"):
        shared(2, *words, tmp_path / folder, cwd=tmp_path)
        (path,) = (tmp_path / folder).rglob("seed0.json")
        records.append(read_record(path))
    continued, whole = records
    assert (continued.ap, continued.counts, continued.costs) == (whole.ap, whole.counts, whole.costs)
    assert continued.scores == whole.scores


def test_what_a_strategy_raises_is_not_taken_for_a_lost_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clbench.ranks.together.world", lambda: 2)
    for text, gone in (
        ("mat1 and mat2 shapes cannot be multiplied (8x512 and 4x20)", False),
        (
            "[/src/third_party/gloo/gloo/transport/tcp/pair.cc:1] Connection closed by peer [10.0.0.1]:9. See logs.",
            True,
        ),
        ("NCCL communicator was aborted on rank 1.", True),
    ):
        told = lost(RuntimeError(text), run="er", state_file=tmp_path)
        assert (told is not None) is gone
        assert told is None or "pair.cc" not in told.message


class LateStore:
    """As torch's: what one client sets reaches the others when the client is next answered, or later."""

    def __init__(self) -> None:
        self.sent: dict[str, str] = {}
        self.arrived: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        self.sent[key] = value

    def get(self, key: str) -> str:
        self.arrived.update(self.sent)
        return self.arrived[key]

    def check(self, keys: list[str]) -> bool:
        return all(key in self.arrived for key in keys)


def test_whoever_is_asked_to_stop_goes_on_once_all_others_can_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = LateStore()
    monkeypatch.setattr(together, "_store", store)
    monkeypatch.setattr(together, "world", lambda: 2)
    assert not together.agreed_to_stop(True, step=2)
    assert store.arrived == {together.STOP: "3"}, "a rank that looks after step 3 stops there, as this one does"
    assert together.agreed_to_stop(False, step=3)


def test_shares_cover_everything_once() -> None:
    rows = np.arange(11)
    assert shard(rows).tolist() == rows.tolist() and mine([1, 2, 3]) == [1, 2, 3]
    import torch

    values = torch.arange(4.0)
    assert torch.equal(gathered(values, total=4), values)
