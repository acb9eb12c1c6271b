"""Several processes for one run: what is refused, and what is said of those that end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from clbench.errors import RunError, UsageError
from clbench.many.several_devices import launch, told
from clbench.ranks import launched
from clbench.train import reader_processes as processes
from clbench.train.run import RunOptions, run


def test_a_process_that_nobody_started_so_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (launched.processes(), launched.number(), launched.here()) == (1, 0, 1)
    monkeypatch.setenv("RANK", "3")
    assert launched.number() == 0, "a variable that something else left says nothing"
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (launched.processes(), launched.number()) == (4, 3)


@pytest.mark.parametrize("text", ["two", "0", "-1", "²"])
def test_a_number_of_processes_that_is_none_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", text)
    with pytest.raises(UsageError, match=f"WORLD_SIZE is '{text}'"):
        launched.processes()


def test_a_number_of_processes_without_an_address_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiny_scenarios import planned, scenario

    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match="WORLD_SIZE is 2, but the processes cannot find each other"):
        run(planned(scenario(tmp_path), "naive"), RunOptions(results=tmp_path / "results", device="cpu"))


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="--devices 2: this machine has 1 GPU\\."):
        launch(2, ["run", "tiny"], device="auto")
    with pytest.raises(UsageError, match="is one device"):
        launch(2, ["run", "tiny"], device="cuda:0")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_processes_that_would_use_up_the_memory_are_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(processes, "cores", lambda: 2)
    with pytest.raises(UsageError, match="--devices 9: without a GPU 8 processes are the most here"):
        launch(9, ["run", "tiny"], device=device)


def test_the_first_cause_is_what_counts() -> None:
    killed = told({0: 5, 1: -signal.SIGKILL}, count=2)
    assert isinstance(killed, RunError) and killed.message == "Process 2 of 2 was killed (SIGKILL)."
    for codes, code in (({0: 5, 1: 3}, 3), ({0: 130, 1: 2}, 2), ({0: 5, 1: -signal.SIGTERM}, 5), ({1: -15}, 1)):
        left = told(codes, count=2)
        assert isinstance(left, SystemExit) and left.code == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "2"], "exclude each other"),
        (["--dry-run", "--calibrate"], "times one process"),
        (["--device", "cpu", "--strategy", "nive"], "Did you mean 'naive'"),
    ],
)
def test_what_goes_with_no_second_process_is_refused_by_the_first(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from clbench.cli import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["run", "tiny", "--devices", "2", *words])
    assert left.value.code == 2 and said in capsys.readouterr().err
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(SystemExit) as left:
        main(["run", "tiny", "--devices", "2"])
    assert left.value.code == 2 and "torchrun started 3 processes" in capsys.readouterr().err


def test_counts_of_a_dry_run_do_not_depend_on_the_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from clbench.cli import main

    monkeypatch.chdir(tmp_path)
    told = []
    for devices in ("1", "2"):
        with pytest.raises(SystemExit) as left:
            main(["run", "tiny", "--strategy", "er", "--dry-run", "--devices", devices])
        assert left.value.code == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] and "er" in told[0]
