"""Worker processes that die: loaders of one run, and workers that carry out runs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from fault_tools import finish, make_data

from clbench.errors import ClbenchError, RunError
from clbench.many.here import run_all
from clbench.plan.plans import plan
from clbench.records.record import read_record
from clbench.train.events import Event, StepEnded
from clbench.train.run import RunOptions, run

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at /proc"),
]


def kill_a_loader(event: Event) -> None:
    """Kill the loader processes in the middle of the first session."""
    if isinstance(event, StepEnded) and (event.session, event.step) == (0, 3):
        loaders = multiprocessing.active_children()  # not every child: another test's browser may be among those
        assert len(loaders) == 2
        for loader in loaders:
            loader.kill()
        time.sleep(0.3)


def test_a_loader_that_is_killed_ends_the_run_with_its_state_saved(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    scenario = make_data(tmp_path / "data", epochs=3)
    (wanted,) = plan(str(scenario), strategies=["naive"], seeds=[0])
    options = RunOptions(results=tmp_path / "killed", device="cpu", cache=False, workers=2, save_minutes=0.0)
    with pytest.raises(RunError, match="a loader process died") as caught:
        run(wanted, options, watch=kill_a_loader)
    assert caught.value.exit_code == 5 and "goes on from the last saved state" in caught.value.hint
    continued = read_record(run(wanted, RunOptions(results=tmp_path / "killed", device="cpu", cache=False)))
    whole = read_record(finish(scenario, "naive", results=tmp_path / "whole"))
    assert (continued.ap, continued.costs, continued.scores) == (whole.ap, whole.costs, whole.scores)


def test_a_signal_that_ends_the_loaders_too_is_a_request_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as for a step that still waits for its batch when the signal comes
    monkeypatch.setattr("clbench.ranks.together.agreed_to_stop", lambda asked, *, step: False)

    def signalled(event: Event) -> None:
        if isinstance(event, StepEnded) and (event.session, event.step) == (0, 3):
            os.kill(os.getpid(), signal.SIGTERM)
        kill_a_loader(event)

    (wanted,) = plan(str(make_data(tmp_path / "data", epochs=3)), strategies=["naive"], seeds=[0])
    options = RunOptions(results=tmp_path / "results", device="cpu", cache=False, workers=2, save_minutes=0.0)
    with pytest.raises(KeyboardInterrupt, match="the state is saved in"):
        run(wanted, options, watch=signalled)
    assert list((tmp_path / "results").rglob("state.pt"))


STRATEGY = '''
"""For a test."""

import os
import signal
import time

from torch import Tensor

from clbench import Batch, Session, Strategy


class {name}(Strategy):
    """Is used by a test of worker processes."""

    def end_session(self, session: Session) -> None:
        {body}
'''


def strategy(folder: Path, name: str, body: str) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(STRATEGY.format(name=name.capitalize(), body=body))
    return str(path)


@pytest.mark.slow
def test_a_run_that_kills_its_worker_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    scenario = make_data(tmp_path / "data")
    deadly = strategy(tmp_path / "own", "deadly", "os.kill(os.getpid(), signal.SIGKILL)")
    slow = strategy(tmp_path / "own", "slowly", "time.sleep(1.5)")
    plans = plan(str(scenario), strategies=[deadly, slow, "naive"], seeds=[0])
    outcomes = run_all(plans, RunOptions(results=tmp_path / "results", device="cpu"), jobs=2)
    by_name = {outcome.plan.entry.name: outcome for outcome in outcomes}
    error = by_name["deadly"].error
    assert error is not None and "its worker process died twice" in error.message
    for name in ("slowly", "naive"):
        assert by_name[name].error is None and by_name[name].record is not None, name
    whole = read_record(finish(scenario, "naive", results=tmp_path / "whole"))
    record = by_name["naive"].record
    assert record is not None and read_record(record).ap == whole.ap


@pytest.mark.slow
def test_a_worker_that_is_killed_once_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    scenario = make_data(tmp_path / "data")
    once = (
        f"mark = {str(tmp_path / 'mark')!r}; seen = os.path.exists(mark); open(mark, 'w').close(); "
        "seen or os.kill(os.getpid(), signal.SIGKILL)"
    )
    plans = plan(str(scenario), strategies=[strategy(tmp_path / "own", "once", once), "naive"], seeds=[0])
    outcomes = run_all(plans, RunOptions(results=tmp_path / "results", device="cpu"), jobs=2)
    assert [outcome.error for outcome in outcomes] == [None, None]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_goes_wrong_in_one_run_stops_no_other(jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    scenario = make_data(tmp_path / "data")
    bodies = {"leaves": "raise SystemExit(0)", "fails": "raise KeyError('x')", "odd": "raise Odd(1, 2)"}
    files = [strategy(tmp_path / "own", name, body) for name, body in bodies.items()]
    text = Path(files[2]).read_text()
    odd = "class _Odd(Exception):\n    def __init__(self, a, b):\n        super().__init__(a)\n\n\n"
    Path(files[2]).write_text(text.replace("class Odd(S", f"{odd}class Odd(S").replace("Odd(1, 2)", "_Odd(1, 2)"))
    plans = plan(str(scenario), strategies=[*files, "naive"], seeds=[0])
    outcomes = run_all(plans, RunOptions(results=tmp_path / "results", device="cpu"), jobs=jobs)
    errors = {outcome.plan.entry.name: outcome.error for outcome in outcomes}
    assert errors.pop("naive") is None
    for name, error in errors.items():
        assert isinstance(error, ClbenchError) and f"{name}.py, line" in error.message, name
        assert "Traceback" not in str(error)
