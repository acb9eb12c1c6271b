"""States that a run may not go on from: of another run, of another version of the strategy, from a stranger."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from listening import StopAt

from clbench.errors import ResultsError
from clbench.plan.load_strategy import digest_read
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.records.record import read_record
from clbench.testing.repeat import first_other_section
from clbench.train.assembly import Parts, plan_source
from clbench.train.events import silent
from clbench.train.resume import state as states
from clbench.train.run import Run, RunOptions, run
from clbench.train.stopping import Interrupted


def stopped(wanted: Plan, options: RunOptions, *, session: int = 1, step: int = 2) -> Path:
    """Carry out a run up to a step, and return its state."""
    with pytest.raises(KeyboardInterrupt):
        run(wanted, options, watch=StopAt(session, step))
    return Run(wanted, options, watch=silent).state_file


@pytest.fixture(scope="module")
def er(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, RunOptions, Path, dict[str, Any]]:
    """A plan, how to run it, the state that it was stopped with inside the second session, and what that holds."""
    torch.set_num_threads(1)
    (wanted,) = plan("tiny", strategies=["er"], seeds=[0])
    options = RunOptions(results=tmp_path_factory.mktemp("results"), device="cpu", save_steps=1)
    path = stopped(wanted, options)
    return wanted, options, path, torch.load(path, weights_only=True)


FIELDS = [
    "scenario",
    "configuration",
    "the strategy's file",
    "seed",
    "session and test images",
    "visible labels",
    "torch",
    "world size",
    "device",
]


def test_everything_that_decides_a_number_is_part_of_a_state(er: tuple[Plan, RunOptions, Path, dict[str, Any]]) -> None:
    assert list(er[3]["identity"]) == FIELDS


@pytest.mark.parametrize("field", FIELDS)
def test_a_state_that_differs_in_one_field_is_refused_by_its_name(
    field: str, er: tuple[Plan, RunOptions, Path, dict[str, Any]]
) -> None:
    wanted, options, path, state = er
    torch.save(state | {"identity": state["identity"] | {field: "another"}}, path)
    with pytest.raises(
        ResultsError, match=rf"state.pt: belongs to another run: {field} was 'another' and is "
    ) as caught:
        run(wanted, options)
    assert caught.value.exit_code == 4 and "--no-resume" in caught.value.hint


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {key: value for key, value in state.items() if key != name}


def altered(name: str, **changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: state | {name: state[name] | changes}


class Stuck:
    """Pictures that stop coming where a session is at its third batch."""

    def __init__(self, source: Any) -> None:
        self.source, self.size, self.asked = source, source.size, 0

    def read(self, rows: Any) -> torch.Tensor:
        self.asked += 1
        if self.asked == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        return self.source.read(rows)


def test_a_run_that_waits_for_pictures_obeys_sigterm_and_keeps_its_state(
    er: tuple[Plan, RunOptions, Path, dict[str, Any]], tmp_path: Path
) -> None:
    wanted, options = er[0], RunOptions(results=tmp_path / "stuck", device="cpu")
    parts = Parts(source=lambda *plan, **options: Stuck(plan_source(*plan, **options)))
    with pytest.raises(Interrupted, match="the state is saved"):
        Run(wanted, options, watch=silent, parts=parts).carry_out()
    whole = run(wanted, RunOptions(results=tmp_path / "whole", device="cpu"))
    assert first_other_section(run(wanted, options), whole) == ""


HOSTILE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a tensor": lambda state: torch.zeros(3),
    "a list": lambda state: [state],
    "an identity that is a number": lambda state: state | {"identity": 5},
    "no identity": without("identity"),
    "no optimiser": without("optimizer"),
    "no exemplars": without("exemplars"),
    "exemplars that are a text": lambda state: state | {"exemplars": "none"},
    "progress that is a list": lambda state: state | {"progress": []},
    "progress in words": altered("progress", session="one"),
    "progress beyond the end": altered("progress", session=99),
    "progress before the beginning": altered("progress", session=-1),
    "sessions that are not there": altered("progress", done=[]),
    "a session of another shape": altered("progress", done=[{"growing": 1}]),
    "no weights": altered("strategy", module={}),
    "weights of another shape": lambda state: (
        state | {"strategy": state["strategy"] | {"module": {k: torch.zeros(1) for k in state["strategy"]["module"]}}}
    ),
    "an attribute that is none": altered("strategy", own={"nothing": {"kept": "object", "state": {}}}),
    "a memory that is a number": lambda state: (
        state
        | {
            "strategy": state["strategy"]
            | {"own": {k: {"kept": "object", "state": 7} for k in state["strategy"]["own"]}}
        }
    ),
    "an optimiser of another kind": lambda state: state | {"optimizer": {"state": {}, "param_groups": []}},
    "plugins that are a number": lambda state: state | {"plugins": 3},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_state_from_a_stranger_is_refused_in_words(
    kind: str, er: tuple[Plan, RunOptions, Path, dict[str, Any]]
) -> None:
    wanted, options, path, state = er
    torch.save(HOSTILE[kind](state), path)
    with pytest.raises(ResultsError, match=r"state\.pt: ") as caught:
        run(wanted, options)
    assert "--no-resume" in caught.value.hint and len(caught.value.message) < 600
    assert not list(options.results.rglob("seed0.json"))


def test_no_flipped_bit_of_a_state_goes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    states.save({part: {"a": [1, 2.5, "text"], "b": torch.arange(40.0)} for part in states.PARTS}, path)
    whole, right = path.read_bytes(), repr(states.load(path))
    tensors = whole.index(torch.arange(40.0).numpy().tobytes())
    refused = 0
    for bit in [*range(0, 8 * len(whole), 97), *range(8 * tensors, 8 * tensors + 64)]:
        path.write_bytes(whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :])
        try:
            assert repr(states.load(path)) == right, f"bit {bit}"
        except ResultsError as error:
            refused += 1
            assert "state.pt: not a" in error.message and "--no-resume" in error.hint
    assert refused > 100


def test_a_pipe_in_place_of_a_state_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.pt")
    with pytest.raises(ResultsError, match="not a readable state"):
        states.load(tmp_path / "state.pt")


def test_what_was_refused_can_be_put_right(er: tuple[Plan, RunOptions, Path, dict[str, Any]], tmp_path: Path) -> None:
    wanted, options, path, state = er
    torch.save(state, path)
    whole = run(wanted, RunOptions(results=tmp_path, device="cpu"))
    assert first_other_section(run(wanted, options), whole) == ""


STRATEGY = '''
"""For a test."""

from torch import Tensor

from clbench import Batch, Strategy


class Edited(Strategy):
    """Weighs its loss."""

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        return {weight} * super().loss(batch, logits)
'''


def planned(path: Path, *, weight: float, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Return the plan of a process that starts now and finds this version of the strategy."""
    import importlib
    import sys

    monkeypatch.setenv("CLBENCH_BESIDE", "")
    path.write_text(STRATEGY.format(weight=weight))
    sys.modules.pop("clbench.strategies.edited", None)
    importlib.invalidate_caches()
    (wanted,) = plan("tiny", strategies=[str(path)], seeds=[0])
    return wanted


def test_a_run_does_not_go_on_with_another_version_of_its_strategy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edited.py"
    options = RunOptions(results=tmp_path / "results", device="cpu", save_steps=1)
    stopped(planned(path, weight=1.0, monkeypatch=monkeypatch), options)
    again = planned(path, weight=2.25, monkeypatch=monkeypatch)
    with pytest.raises(ResultsError, match="belongs to another run: the strategy's file was"):
        run(again, options)


def test_a_finished_run_says_that_its_strategy_was_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edited.py"
    options = RunOptions(results=tmp_path / "results", device="cpu")
    first = planned(path, weight=1.0, monkeypatch=monkeypatch)
    record, silent = run(first, options), StopAt(9, 9)
    run(first, options, watch=silent)
    assert silent.told == []
    told = StopAt(9, 9)
    assert run(planned(path, weight=2.25, monkeypatch=monkeypatch), options, watch=told) == record
    assert len(told.told) == 1 and "edited.py was changed; --no-resume" in told.told[0]


def test_the_record_names_the_file_that_ran_and_not_what_it_became(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edited.py"
    wanted = planned(path, weight=1.0, monkeypatch=monkeypatch)
    before = wanted.entry.sha256()
    path.write_text(STRATEGY.format(weight=7.5))
    record = read_record(run(wanted, RunOptions(results=tmp_path / "results", device="cpu")))
    assert record.strategy.sha256 == before == digest_read(wanted.entry) != wanted.entry.sha256()
