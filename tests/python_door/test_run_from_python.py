"""`clbench.run` does what `clbench run` does, returns records and prints nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_scenarios import scenario

import clbench
from clbench.errors import DataError, ResultsError, RunError, UsageError

BROKEN = '''
"""Breaks."""

from clbench import Strategy


class Broken(Strategy):
    """Raises in its second session."""

    def prepare(self, session):
        if session.index == 1:
            raise ZeroDivisionError("nothing to divide by")
'''


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    return scenario(tmp_path, train={"epochs": 1})


def test_records_come_seed_by_seed_with_the_values_that_were_set(miniature: str, capfd: pytest.CaptureFixture[str]):
    records = clbench.run(
        Path(miniature),
        strategies=["naive", "er"],
        seeds=[3, 1],
        set={"er.memory": 7, "train.lr": 1e-2, "head": "maxpool"},
        results="mine",
        device="cpu",
    )
    assert [(r.strategy.name, r.seed) for r in records] == [("naive", 3), ("er", 3), ("naive", 1), ("er", 1)]
    assert [r.strategy.changed for r in records[:2]] == [{"head": "maxpool"}, {"head": "maxpool", "memory": 7}]
    assert {r.train["lr"] for r in records} == {0.01}
    assert sorted(path.name for path in Path("mine").rglob("seed*.json")) == ["seed1.json"] * 2 + ["seed3.json"] * 2
    assert capfd.readouterr() == ("", "")
    # what is finished is read, not repeated
    again = clbench.run(miniature, strategies="naive", seeds=[3], set={"train.lr": 0.01, "head": "maxpool"},
                        results="mine", device="cpu")  # fmt: skip
    assert [r.times for r in again] == [records[0].times]


def test_numbers_of_numpy_are_numbers(miniature: str):
    asked = {"train.epochs": np.int64(1), "train.lr": np.float64(0.25), "train.milestones": np.array([0.25, 0.75])}
    (record,) = clbench.run(miniature, strategies=["naive"], seeds=np.arange(2, 3), set=asked, device="cpu")
    assert (record.seed, record.train["lr"], record.train["milestones"]) == (2, 0.25, [0.25, 0.75])


def test_a_run_that_fails_is_named_and_the_others_are_kept(miniature: str):
    Path("broken.py").write_text(BROKEN)
    with pytest.raises(RunError, match=r"1 of 2 runs failed.\n.*broken.py, line 12: ZeroDivisionError") as caught:
        clbench.run(miniature, strategies=["broken.py", "naive"], device="cpu")
    assert isinstance(caught.value.__cause__, RunError)
    assert len(list(Path("results").rglob("seed0.json"))) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"strategies": ["naiv"]}, UsageError, "Did you mean 'naive'"),
        ({"seeds": [-1]}, UsageError, "seeds: -1 is not a whole number from 0"),
        ({"seeds": [True]}, UsageError, "seeds: True is not a whole number from 0"),
        ({"strategies": [clbench.Strategy]}, UsageError, "is not a strategy's name or the path of its file"),
        ({"seeds": 0}, UsageError, r"seeds: 0 is no list, such as \[0, 1, 2\]"),
        ({"seeds": "01"}, UsageError, "seeds: '01' is no list"),
        ({"seeds": []}, UsageError, "seeds: the list is empty"),
        ({"strategies": []}, UsageError, "strategies: the list is empty"),
        ({"strategies": {"er": {"memory": 5}}}, UsageError, "is no list.*\n.*go into set, such as {'er.memory': 400}"),
        ({"orders": ()}, UsageError, "orders: the list is empty"),
        ({"orders": "shuffle:1"}, UsageError, "neither how many nor a list of names"),
        ({"orders": 0}, UsageError, "neither how many nor a list of names"),
        ({"jobs": 0}, UsageError, "jobs: 0 is not a whole number from 1"),
        ({"jobs": 1.5}, UsageError, r"jobs: 1\.5 is not a whole number from 1"),
        ({"set": ["train.epochs=1"]}, UsageError, "is no mapping of names to values"),
        ({"set": {1: 2}}, UsageError, "set: 1 is no name of a value"),
        ({"set": {"train.epochs": "many"}}, UsageError, "train.epochs"),
        ({"set": {"train.epochs": object()}}, UsageError, "set: train.epochs: .* of type object"),
        ({"data": "nowhere"}, DataError, "nowhere: there is no such folder"),
        ({"results": "file"}, ResultsError, "file"),
    ],
)
def test_errors_are_those_of_the_command_line(miniature: str, arguments: dict, error: type, message: str):
    Path("file").write_text("no folder")
    with pytest.raises(error, match=message):
        clbench.run(miniature, **({"strategies": ["naive"]} | arguments))


def test_a_stand_in_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    stand_in = {"options": {"train": "100", "test": "100"}}
    path = scenario(tmp_path, train={"epochs": 1}, dataset="coco2014", options={}, stand_in=stand_in)
    with pytest.warns(clbench.StandInWarning, match=r"coco2014 is not on this machine") as told:
        (record,) = clbench.run(path, strategies=["naive"], device="cpu")
    assert record.scenario.stand_in
    assert told[0].filename == __file__


def test_two_processes_find_what_one_finds(tmp_path: Path):
    path = scenario(tmp_path, train={"epochs": 1})
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, clbench\n"
        "if __name__ == '__main__':\n"
        "    jobs = int(sys.argv[1])\n"
        f"    found = clbench.run({path!r}, strategies='naive', seeds=[0, 1], results=f'r{{jobs}}', jobs=jobs)\n"
        "    print([record.ap.fixed for record in found])\n"
    )
    told = [
        subprocess.run([sys.executable, str(script), jobs], cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"},
                       capture_output=True, text=True, check=True).stdout
        for jobs in ("1", "2")
    ]  # fmt: skip
    assert told[0] == told[1] != ""
