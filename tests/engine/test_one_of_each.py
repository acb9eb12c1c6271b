"""A run makes one of everything it needs, from the command line to its record."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from clbench.files import roots
from clbench.many.here import run_all
from clbench.method.strategy import Strategy
from clbench.plan.plans import plan
from clbench.train import prepare
from clbench.train import run as running
from clbench.train.events import silent
from clbench.train.run import RunOptions
from clbench.watch.progress_file import followed


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts what is made from here on."""
    found: Counter[str] = Counter()

    def counted(owner: Any, name: str, what: str) -> None:
        original = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            found[what] += 1
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, call)

    counted(Strategy, "__post_init__", "strategies")
    counted(running.Run, "__init__", "runs")
    counted(roots, "_candidates", "scans of the roots")
    counted(prepare, "read_table", "tables")
    counted(prepare, "build_stream", "streams")
    roots._scanned.cache_clear()
    return found


def test_one_run_makes_one_of_each(made: Counter[str], tmp_path: Path) -> None:
    plans = plan("tiny", strategies=["naive"])
    options = RunOptions(results=tmp_path, device="cpu")
    with followed(plans, options, watch=silent, kinds=["csv"]) as watch:
        (outcome,) = run_all(plans, options, jobs=1, watch=watch)
    assert outcome.record is not None and outcome.record.is_file()
    assert made == {"strategies": 1, "runs": 1, "scans of the roots": 1, "tables": 1, "streams": 1}


def test_asking_for_a_place_makes_no_run(made: Counter[str], tmp_path: Path) -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    assert wanted.place(tmp_path).record == tmp_path / f"tiny.v1/naive/{wanted.configuration[:8]}/seed0.json"
    assert made == {"strategies": 1, "scans of the roots": 1}


def test_every_run_of_a_plan_has_a_strategy_of_its_own() -> None:
    (wanted,) = plan("tiny", strategies=["er"], sets=["er.memory=7"])
    first, second = wanted.new_strategy(), wanted.new_strategy()
    assert first is not second and first.values() == second.values() == wanted.values
    assert wanted.values["memory"] == 7


def test_a_plan_travels_without_the_strategy_and_keeps_its_values() -> None:
    (wanted,) = plan("tiny", strategies=["naive"])
    there = pickle.loads(pickle.dumps(wanted))
    assert "_strategy" in vars(wanted) and "_strategy" not in vars(there)
    assert there == wanted and there.configuration == wanted.configuration
