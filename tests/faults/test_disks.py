"""Disks that are full or read-only, and two processes that want the same run."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fault_tools import clbench, finish, make_data, paced, start, wait_until

from clbench.errors import ResultsError, RunError
from clbench.files.whole_file import whole_file
from clbench.plan.plans import plan
from clbench.records.record import read_record
from clbench.train.events import Event, SessionFinished, StepEnded, silent
from clbench.train.resume import state as states
from clbench.train.run import RunOptions, run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_state_and_is_a_designed_error(small_disk: Path) -> None:
    path = small_disk / "state.pt"
    parts = {name: {} for name in states.PARTS}
    states.save({**parts, "progress": {"session": 1}}, path)
    with pytest.raises(
        ResultsError, match=r"state.pt: the state cannot be written \(No space left on device\)"
    ) as caught:
        states.save({**parts, "strategy": torch.zeros(200_000)}, path)
    assert caught.value.exit_code == 4 and "Make room" in caught.value.hint
    assert states.load(path)["progress"] == {"session": 1}
    assert [item.name for item in small_disk.iterdir()] == ["state.pt"]


def test_a_score_matrix_that_does_not_fit_leaves_nothing_behind(small_disk: Path) -> None:
    with (
        pytest.raises(ResultsError, match="is the disk full"),
        whole_file(small_disk / "scores-0.npy", what="scores") as file,
    ):
        np.save(file, np.zeros(100_000))
    assert not list(small_disk.iterdir())


def test_a_file_size_limit_is_told_as_a_full_disk_is(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    parts = {name: {} for name in states.PARTS}
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(ResultsError, match="File too large"):
            states.save({**parts, "strategy": torch.zeros(50_000)}, tmp_path / "state.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_whose_disk_fills_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    scenario = make_data(tmp_path / "data")
    (small_disk / "ballast").write_bytes(bytes(150_000))
    words = ["run", scenario, "--device", "cpu", "--jobs", "1", "--save-minutes", "0"]
    done = clbench(*words, "--results", small_disk, cwd=tmp_path)
    assert done.returncode == 5 and "No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert not list(small_disk.rglob("*.part"))
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    continued = finish(scenario, "naive", results=small_disk)
    whole = finish(scenario, "naive", results=tmp_path / "whole")
    assert read_record(continued).ap == read_record(whole).ap


def test_results_that_cannot_be_written_are_found_out_before_training(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("this is a file")
    (wanted,) = plan("tiny", strategies=["naive"])
    with pytest.raises(ResultsError, match="results cannot be written there") as caught:
        run(wanted, RunOptions(results=tmp_path / "results", device="cpu"), watch=never)
    assert caught.value.exit_code == 4 and "--results" in caught.value.hint


def test_a_read_only_file_system_is_found_out_before_training(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    (wanted,) = plan("tiny", strategies=["naive"])
    with pytest.raises(ResultsError, match="Read-only file system"):
        run(wanted, RunOptions(results=small_disk / "results", device="cpu"), watch=never)


def test_a_record_that_cannot_be_written_throws_no_training_away(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"], sets=["train.epochs=1"])
    options = RunOptions(results=tmp_path / "results", device="cpu")
    record = wanted.place(tmp_path / "results").record

    def obstruct(event: Event) -> None:
        if isinstance(event, SessionFinished):
            record.mkdir(exist_ok=True)

    with pytest.raises(ResultsError, match=r"seed0\.json: .*cannot be written"):
        run(wanted, options, watch=obstruct)
    record.rmdir()
    steps: list[Event] = []
    assert run(wanted, options, watch=steps.append) == record
    assert not [event for event in steps if isinstance(event, StepEnded)]
    assert read_record(record).ap == read_record(run(wanted, RunOptions(results=tmp_path / "whole", device="cpu"))).ap


def never(event: Event) -> None:
    """Listen where no run may ever get to."""
    raise AssertionError(f"the run got as far as {event}")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_that_want_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    scenario = make_data(tmp_path / "data")
    (slow,) = paced(tmp_path / "own", "slow")
    words = ["run", str(scenario), "--strategy", slow, "--device", "cpu", "--jobs", "1", "--save-minutes", "0"]
    first = start(*words, cwd=tmp_path, held="results/**/state.pt")
    wait_until(tmp_path / "results", "state.pt", process=first)
    second = clbench(*words, cwd=tmp_path)
    assert second.returncode == 5 and "another process is carrying out this very run" in second.stderr
    assert "Traceback" not in second.stderr
    (tmp_path / "go").touch()
    _, err = first.communicate(timeout=240)
    assert first.returncode == 0, err
    (record,) = (tmp_path / "results").rglob("seed0.json")
    assert finish(scenario, slow, results=tmp_path / "results") == record


def test_a_second_run_in_this_process_is_told_at_once(tmp_path: Path) -> None:
    from filelock import FileLock

    from clbench.train.run import Run

    (wanted,) = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu")
    place = Run(wanted, options, watch=silent).work
    place.parent.mkdir(parents=True)
    with FileLock(f"{place}.lock"), pytest.raises(RunError, match="another process"):
        run(wanted, options)


def test_a_link_in_place_of_a_lock_is_refused_and_what_it_leads_to_is_left(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    place = wanted.place(tmp_path / "results")
    place.make()
    (tmp_path / "of a colleague").write_bytes(b"as it was")
    Path(f"{place.work}.lock").symlink_to(tmp_path / "of a colleague")
    with pytest.raises(ResultsError, match=r"seed0.lock: cannot be taken \(Too many levels of symbolic links"):
        run(wanted, RunOptions(results=tmp_path / "results", device="cpu"), watch=never)
    assert (tmp_path / "of a colleague").read_bytes() == b"as it was"


def test_scores_that_went_missing_stop_a_resumed_run_by_name(tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu")

    def stop_in_the_second_session(event: Event) -> None:
        if isinstance(event, StepEnded) and event.session == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(wanted, options, watch=stop_in_the_second_session)
    (scores,) = tmp_path.rglob("scores-0.logits.npy")
    shutil.move(scores, tmp_path / "elsewhere.npy")
    with pytest.raises(ResultsError, match=r"scores-0.logits.npy: the scores of a finished session are gone"):
        run(wanted, options)
    np.save(scores, np.zeros(3))
    with pytest.raises(ResultsError, match="are changed"):
        run(wanted, options)
