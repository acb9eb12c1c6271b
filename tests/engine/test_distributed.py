"""One run on two processes is the run of one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clbench.engine.distributed import gathered, mine, shard
from clbench.ledger.record import read_record

# no batch norm, whose statistics stay with their rank; SGD, because Adam makes steps of a zero gradient's rounding
RUN = [
    "run", "tiny", "--strategy", "naive,er,lwf", "--device", "cpu", "--quiet",
    "--set", "train.backbone=test_convnext", "--set", "train.optimizer=sgd", "--set", "train.lr=0.05",
]  # fmt: skip
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def run(*command: str, results: Path, timeout: float = 250) -> subprocess.CompletedProcess[str]:
    words = [*command, "--results", str(results)]
    return subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.slow
def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    one = run(sys.executable, "-m", "clbench", *RUN, "--jobs", "1", results=tmp_path / "one")
    assert one.returncode == 0, one.stderr
    two = run(*TWO, "-m", "clbench", *RUN, results=tmp_path / "two")
    assert two.returncode == 0, two.stderr
    records = sorted((tmp_path / "one").rglob("seed0.json"))
    assert len(records) == 3
    for path in records:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        alone, shared = read_record(path), read_record(other)
        assert alone.costs == shared.costs
        assert "world-2" in shared.marks and shared.environment["world_size"] == 2
        for session in range(len(alone.scores)):
            ours = np.load(other.with_suffix("") / f"scores-{session}.npy")
            theirs = np.load(path.with_suffix("") / f"scores-{session}.npy")
            assert ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_when_a_rank_dies_the_run_stops_and_goes_on_to_the_same_record(tmp_path: Path) -> None:
    command = [*TWO, "-m", "clbench", *RUN[:3], "naive", *RUN[4:], "--set", "train.epochs=40", "--save-minutes", "0"]
    process = subprocess.Popen(
        [*command, "--results", str(tmp_path / "killed")],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list((tmp_path / "killed").rglob("state.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout
    os.kill(int(children.split()[-1]), signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode != 0 and said
    assert list(tmp_path.rglob("state.pt")) and not list(tmp_path.rglob("seed0.json"))
    records = []
    for folder in ("killed", "whole"):
        done = run(*command, results=tmp_path / folder, timeout=900)
        assert done.returncode == 0, done.stderr
        (path,) = (tmp_path / folder).rglob("seed0.json")
        records.append(read_record(path))
    continued, whole = records
    assert (continued.ap, continued.counts, continued.costs) == (whole.ap, whole.counts, whole.costs)
    assert continued.scores == whole.scores


def test_shares_cover_everything_once() -> None:
    rows = np.arange(11)
    assert shard(rows).tolist() == rows.tolist() and mine([1, 2, 3]) == [1, 2, 3]
    import torch

    values = torch.arange(4.0)
    assert torch.equal(gathered(values, total=4), values)
