"""Logs of runs for other tools: what a log is told, and which kinds there are. None is part of a record."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from clbench.errors import ClbenchError, UsageError

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

LOGS = {"csv": "csv", "tensorboard": "tensorboard", "wandb": "wandb"}
"""Kinds of logs -> the module of `clbench.watch.logs` whose `open_log` makes one."""

LOG_STEPS = 20
"""Steps between two entries of a log; as many as worker processes leave out."""


@dataclass(frozen=True)
class About:
    """What a log may say of its run before it begins."""

    run: str
    folder: Path
    """The run's work folder."""
    scenario: str
    strategy: str
    seed: int
    configuration: str
    values: Mapping[str, Any]
    """The strategy's fields, and the recipe's as `train.NAME`."""


@dataclass(frozen=True)
class Step:
    """A step that has ended. Sessions and epochs count from 1; `total` counts steps from the run's beginning."""

    session: int
    epoch: int
    step: int
    total: int
    loss: float


@dataclass(frozen=True)
class Result:
    """What a session came to; it counts from 1, mAPs are fractions."""

    session: int
    total: int
    map_growing: float
    map_fixed: float
    stored_images: int
    seconds: float


class RunLog(Protocol):
    """One run's log of one kind."""

    def step(self, step: Step) -> None:
        """Take note of a step."""

    def result(self, result: Result) -> None:
        """Take note of a session's end."""

    def finished(self, record: Path) -> None:
        """Take note of the record."""

    def close(self) -> None:
        """Leave everything on disk; called once, also for runs that stop."""


Open = Callable[[About], RunLog]


def openers(kinds: Sequence[str]) -> list[Open]:
    """Return what opens logs of these kinds, imported now. Raises UsageError for what is unknown or not installed."""
    found: list[Open] = []
    for kind in dict.fromkeys(kinds):
        try:
            found.append(importlib.import_module(f"clbench.watch.logs.{LOGS[kind]}").open_log)
        except KeyError:
            raise UsageError(f"--log {kind}: no such log.", hint=f"Choose from {', '.join(LOGS)}.") from None
        except ImportError as error:
            raise UsageError(
                f"--log {kind}: {error.name or kind} cannot be imported ({error}).",
                hint=f"Install it: pip install {kind}",
            ) from error
    return found


def about(plans: Sequence[Plan], options: RunOptions) -> dict[str, About]:
    """Return what to know of each plan's run, by the name watches know it by; a plan that cannot run is left out."""
    found: dict[str, About] = {}
    for plan in plans:
        try:
            place = plan.place(options.results)
        except ClbenchError:
            continue  # the run itself says what is wrong
        train = msgspec.to_builtins(plan.train)
        found[plan.title] = About(
            run=plan.title,
            folder=place.work,
            scenario=place.folder.parts[-3],
            strategy=plan.entry.name,
            seed=plan.seed,
            configuration=plan.configuration,
            values=plan.values | {f"train.{name}": value for name, value in train.items()},
        )
    return found
