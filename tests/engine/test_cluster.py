"""A sweep on a cluster is the sweep of one machine, also when a node dies and when nodes share no folder."""

from __future__ import annotations

import _thread
import builtins
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from fault_tools import paced, wait_until
from forked import Forked, clbench
from tiny_scenarios import planned, scenario

from clbench.errors import CutOffError, DataError, RunError, TakenError, UsageError
from clbench.many.here import run_all
from clbench.many.one import RunOutcome
from clbench.many.ray import mailbox, node
from clbench.many.ray.driver import Share, _resources, import_ray
from clbench.many.ray.mailbox import Mailbox
from clbench.many.ray.node import Answer, at_home, carry_out, packed, receive
from clbench.many.sweep_file import expand, load_sweep
from clbench.records.record import read_record
from clbench.train.events import RunFinished, RunStarted, SessionFinished, StepEnded
from clbench.train.run import RunOptions, run

TWO_NODES = Path(__file__).parent / "two_nodes.py"
SAME = ("scenario strategy train configuration seed labels learned ap counts costs summary environment scores").split()  # noqa: SIM905 - a list would be ten lines
"""What two runs of the same plan agree in; `code` and `marks` too, unless somebody commits in between."""


def same(one: Path, other: Path) -> bool:
    ours, theirs = read_record(one), read_record(other)
    if ours.code == theirs.code:
        return ours.content == theirs.content
    return all(getattr(ours, name) == getattr(theirs, name) for name in SAME)


def sweep_file(folder: Path, **content: Any) -> Path:
    scenario(folder)
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"scenarios": ["miniature.yaml"], "strategies": ["naive"], **content}))
    return path


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_a_node_killed_in_mid_run_changes_no_record(tmp_path: Path) -> None:
    sweep = sweep_file(tmp_path, strategies=["naive", "er"], seeds=[0, 1], set={"train.epochs": 12})
    done = subprocess.run(
        [sys.executable, str(TWO_NODES), str(sweep), str(tmp_path / "cluster")],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["errors"] == []
    assert told["processes"] >= 2 and not told["record_there"] and told["killed"] in told["records"]
    assert told["finished"] == 4 and told["steps"] > 0, "progress reaches the driver"
    assert not list((tmp_path / "cluster").glob(".seen-*"))
    alone = run_all(expand(load_sweep(sweep), path=sweep), RunOptions(results=tmp_path / "alone", device="cpu"), jobs=1)
    assert [outcome.error for outcome in alone] == [None] * 4
    for outcome in alone:
        assert outcome.record is not None
        assert same(outcome.record, tmp_path / "cluster" / outcome.record.relative_to(tmp_path / "alone"))


def test_a_node_that_does_not_see_the_results_sends_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.tempfile, "gettempdir", lambda: str(tmp_path / "node"))
    wanted = planned(scenario(tmp_path), "er", "train.epochs=1")
    options = RunOptions(results=tmp_path / "driver", device="cpu")
    mailbox = Mailbox()
    answer: Answer = carry_out(wanted, options, str(tmp_path / "driver" / ".seen"), mailbox)
    assert answer.error is None and not (tmp_path / "driver").exists()
    assert not list((tmp_path / "node").rglob("seed1.json")), "nothing stays that could pass for a finished run"
    assert {type(event) for event in mailbox.take()} >= {RunStarted, StepEnded, SessionFinished, RunFinished}
    record = receive(answer.files, wanted, options)
    alone = run(wanted, RunOptions(results=tmp_path / "alone", device="cpu"))
    assert same(record, alone)
    assert sorted(packed(record)) == sorted(packed(alone)) == [
        "config.yaml", "seed1.json", "seed1/er.py", "seed1/miniature.yaml",
        *(f"seed1/scores-{session}.logits.npy" for session in range(3)),
    ]  # fmt: skip


def test_a_node_that_sees_the_results_writes_them_itself(tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), "naive", "train.epochs=1")
    options = RunOptions(results=tmp_path / "results", device="cpu")
    options.results.mkdir()
    (options.results / ".seen").touch()
    answer: Answer = carry_out(wanted, options, str(options.results / ".seen"), Mailbox())
    assert answer.files == {} and Path(answer.record).is_relative_to(options.results)
    assert read_record(Path(answer.record)).seed == 1


def test_a_run_asked_to_stop_saves_its_state_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = planned(scenario(tmp_path), "er", "train.epochs=6")
    options = RunOptions(results=tmp_path / "results", device="cpu")
    options.results.mkdir()
    probe = options.results / ".seen"
    probe.touch()

    told = threading.Event()

    def interrupt_main() -> None:
        _thread.interrupt_main()
        told.set()

    monkeypatch.setattr(mailbox, "LISTEN_SECONDS", 0.01)
    monkeypatch.setattr(mailbox, "_thread", SimpleNamespace(interrupt_main=interrupt_main))

    class Asks(Mailbox):
        """The driver wants its runs to stop once one has trained a session and a bit; the run waits until it knows."""

        sessions = 0

        def put(self, event: Any) -> None:
            self.sessions += isinstance(event, SessionFinished)
            if self.sessions and isinstance(event, StepEnded):
                self.stop()
                assert told.wait(60)

    stopped: Answer = carry_out(wanted, options, str(probe), Asks())
    (state,) = options.results.rglob("state.pt")
    assert stopped.error is not None and f"the state is saved in {state}" in str(stopped.error)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("clbench-line")]
    finished: Answer = carry_out(wanted, options, str(probe), Mailbox())
    assert finished.error is None and same(
        Path(finished.record), run(wanted, RunOptions(results=tmp_path / "alone", device="cpu"))
    )


def test_a_run_that_no_node_has_begun_when_the_driver_stops_does_not_begin(tmp_path: Path) -> None:
    mailbox = Mailbox()
    assert mailbox.begin(3) and mailbox.stop() == {3}
    options = RunOptions(results=tmp_path / "results", device="cpu")
    answer: Answer = carry_out(planned(scenario(tmp_path), "naive"), options, "nowhere", mailbox, number=4)
    assert isinstance(answer.error, CutOffError) and not options.results.exists()
    assert mailbox.stop() == {3}


def test_a_run_whose_old_process_lingers_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), "naive")
    outcomes = [RunOutcome(wanted, error=TakenError("taken")), RunOutcome(wanted, record=tmp_path)]
    monkeypatch.setattr(node.time, "sleep", lambda seconds: None)
    assert node._when_free(lambda: outcomes.pop(0)).record == tmp_path
    monkeypatch.setattr(node, "TAKEN_SECONDS", 0.0)
    assert isinstance(node._when_free(lambda: RunOutcome(wanted, error=TakenError("taken"))).error, TakenError)


def test_what_a_node_lacks_is_named(tmp_path: Path) -> None:
    wanted = planned(scenario(tmp_path), "naive")
    with pytest.raises(DataError, match="is not on the node"):
        at_home(dataclasses.replace(wanted, root=tmp_path / "nowhere"))
    elsewhere = dataclasses.replace(wanted.entry, path=Path("/nowhere/naive.py"))
    assert at_home(dataclasses.replace(wanted, entry=elsewhere)).entry == wanted.entry
    with pytest.raises(UsageError, match="that every node sees"):
        at_home(dataclasses.replace(wanted, entry=dataclasses.replace(elsewhere, origin="local")))


def test_without_ray_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as error:
        import_ray()
    assert "pip install -e '.[ray]'" in str(error.value)


class Nodes:
    """Ray, as far as its nodes are asked for."""

    def __init__(self, **resources: float) -> None:
        self.found = [{"Alive": True, "Resources": resources}]

    def nodes(self) -> list[dict[str, Any]]:
        return self.found


@pytest.mark.parametrize(
    ("device", "gpus", "share", "said"),
    [
        ("cuda", 0, Share(), "no node of the cluster has a GPU"),
        ("cuda", 2, Share(gpus=0.0), "--gpus-per-run is 0"),
        ("cuda:1", 2, Share(), "Ray says which GPU"),
        ("auto", 0, Share(gpus=0.5), "asks for 1 CPUs and 0.5 GPUs"),
    ],
)
def test_a_device_that_a_cluster_cannot_give_is_refused_and_not_replaced(
    device: str, gpus: float, share: Share, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        _resources(Nodes(CPU=4.0, GPU=gpus), RunOptions(results=tmp_path, device=device, workers=0), share)


def test_a_run_asks_for_the_part_of_a_gpu_that_it_was_given(tmp_path: Path) -> None:
    options = RunOptions(results=tmp_path, device="cuda", workers=0)
    assert _resources(Nodes(CPU=4.0, GPU=1.0), options, Share(gpus=0.25)) == {"num_cpus": 1.0, "num_gpus": 0.25}
    assert _resources(Nodes(CPU=4.0, GPU=1.0), options, Share()) == {"num_cpus": 1.0, "num_gpus": 1.0}
    assert _resources(Nodes(CPU=4.0), RunOptions(results=tmp_path), Share()) == {"num_cpus": 1.0, "num_gpus": 0.0}


def test_a_strategy_that_breaks_stops_no_other_run(tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text(
        '"""Breaks."""\nfrom clbench import Strategy\n\n\nclass Breaks(Strategy):\n    """Breaks."""\n\n'
        "    def loss(self, batch, logits):\n        return {}['missing']\n"
    )
    path = scenario(tmp_path)
    plans = [planned(path, str(tmp_path / "breaks.py")), planned(path, "naive", "train.epochs=1")]
    broken, fine = run_all(plans, RunOptions(results=tmp_path / "results", device="cpu"), jobs=1)
    assert fine.error is None and isinstance(broken.error, RunError)
    assert "breaks.py, line 9: KeyError: 'missing'" in broken.error.message
    kept = Path(broken.error.hint.rpartition(" ")[2])
    assert "Traceback" in kept.read_text()


WAITS = '''"""Trains once two runs are there."""

import os
import time
from pathlib import Path

from clbench import Strategy

HERE = Path(__file__).parent / "here"


class Waits(Strategy):
    """Trains once two runs are there."""

    def loss(self, batch, logits):
        (HERE / str(os.getpid())).touch()
        deadline = time.monotonic() + 200
        while len(list(HERE.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        return super().loss(batch, logits)
'''


@pytest.mark.slow
def test_two_sweeps_in_one_results_folder_share_the_work(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    (tmp_path / "here").mkdir()
    sweep = sweep_file(tmp_path, strategies=["waits.py"], seeds=[0, 1, 2, 3], set={"train.epochs": 1})
    words = ["sweep", sweep, "--jobs", "1", "--device", "cpu", "--results", tmp_path / "results"]
    both = [Forked(words, cwd=tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=400) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert len(list((tmp_path / "results").rglob("seed?.json"))) == 4
    finished = [err.count(": finished in") for _, err in said]
    # whoever came first met a run that ends only when the other carries out one too
    assert sum(finished) == 4 and min(finished) >= 1, said


@pytest.mark.slow
def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    sweep = sweep_file(tmp_path, seeds=[0], strategies=paced(tmp_path / "own", "held"))
    words = ["sweep", sweep, "--jobs", "1", "--device", "cpu"]
    process = Forked(words, cwd=tmp_path, env=os.environ | {"HELD": "results/**/state.pt"})
    wait_until(tmp_path, "state.pt", process=process)
    process.send_signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130 and "the state is saved" in said, said
    (state,) = tmp_path.rglob("state.pt")
    assert state.stat().st_size > 0
    again = clbench(*words, cwd=tmp_path, timeout=400)
    assert again.returncode == 0 and "1 of 1 runs" in again.stdout, again.stderr
