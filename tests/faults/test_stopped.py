"""Ctrl-C and termination, of one run and of several: the state is saved, the command to go on is printed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from fault_tools import children, clbench, finish, make_data, paced, start, wait_until

from clbench.records.record import read_record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True)
def files_given_by_path_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")


def command(scenario: Path, results: str, *more: str) -> list[str]:
    return ["run", str(scenario), "--device", "cpu", "--results", results, "--save-minutes", "0", *more]


def same_record(scenario: Path, strategy: str, tmp_path: Path) -> None:
    (path,) = (tmp_path / "stopped").rglob(f"{Path(strategy).stem}/*/seed0.json")
    one, two = read_record(path), read_record(finish(scenario, strategy, results=tmp_path / "whole"))
    assert (one.ap, one.counts, one.costs, one.scores) == (two.ap, two.counts, two.costs, two.scores)


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, "0"),
        (signal.SIGTERM, "2"),
        pytest.param(signal.SIGINT, "2", marks=pytest.mark.exhaustive),
        pytest.param(signal.SIGTERM, "0", marks=pytest.mark.exhaustive),
    ],
)
def test_a_run_that_is_asked_to_stop(number: int, workers: str, tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data")
    (slow,) = paced(tmp_path / "own", "slow")
    words = command(scenario, "stopped", "--strategy", slow, "--jobs", "1", "--workers", workers)
    process = start(*words, cwd=tmp_path, held="stopped/**/state.pt")
    wait_until(tmp_path / "stopped", "state.pt", process=process)
    os.killpg(process.pid, number)  # a terminal, and most schedulers, tell every process
    (tmp_path / "go").touch()
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "state is saved" in err
    # the very command is printed, and carries on to the record of a run that nobody stopped
    assert "clbench " + " ".join(words) in err
    assert list((tmp_path / "stopped").rglob("state.pt")) and not list((tmp_path / "stopped").rglob("seed0.json"))
    if number == signal.SIGINT and workers == "0":
        assert clbench(*words, "--quiet", cwd=tmp_path).returncode == 0
    else:  # as above, without the report
        finish(scenario, slow, results=tmp_path / "stopped")
    same_record(scenario, slow, tmp_path)


@pytest.mark.parametrize("to_all", [True, False])
def test_several_runs_that_are_asked_to_stop(to_all: bool, tmp_path: Path) -> None:
    # who is told by its parent is told some time later, and has to have enough to do
    scenario = make_data(tmp_path / "data", epochs=2 if to_all else 20)
    both = paced(tmp_path / "own", "one", "two")
    words = command(scenario, "stopped", "--strategy", ",".join(both), "--jobs", "2")
    process = start(*words, cwd=tmp_path, held="stopped/**/NAME/*/seed0/state.pt" if to_all else "")
    for strategy in ("one", "two"):
        wait_until(tmp_path / "stopped", f"{strategy}/*/seed0/state.pt", process=process)
    if to_all:
        os.killpg(process.pid, signal.SIGINT)
        (tmp_path / "go").touch()
    else:
        process.send_signal(signal.SIGTERM)  # as `kill PID` does: the workers learn it from their parent
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "clbench run" in err
    assert not list((tmp_path / "stopped").rglob("*.part"))
    for strategy in both:
        finish(scenario, strategy, results=tmp_path / "stopped")
        same_record(scenario, strategy, tmp_path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at /proc")
@pytest.mark.parametrize(("option", "strategies"), [("--jobs", ("one", "two")), ("--devices", ("one",))])
def test_no_worker_outlives_a_parent_that_was_killed(option: str, strategies: tuple[str, ...], tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data", epochs=40)
    words = ("--strategy", ",".join(paced(tmp_path / "own", *strategies)), option, "2")
    process = start(*command(scenario, "stopped", *words), cwd=tmp_path)
    for strategy in strategies:
        wait_until(tmp_path / "stopped", f"{strategy}/*/seed0/state.pt", process=process)
    family = children(process.pid)
    assert len(family) >= 2
    process.kill()
    process.communicate(timeout=120)  # ends when nobody holds its output any more
    for _ in range(300):
        alive = [pid for pid in family if Path(f"/proc/{pid}").exists()]
        if not alive:
            assert not list((tmp_path / "stopped").rglob("seed0.json")), "they went on to the end"
            return
        time.sleep(0.1)
    raise AssertionError(f"{alive} still run half a minute after their parent")
