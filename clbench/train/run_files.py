"""Where the files of one run lie, who may write them, and what is left of a process that was killed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from clbench.data.datasets.registry import open_table
from clbench.errors import ResultsError
from clbench.files.whole_file import remove_unfinished
from clbench.files.yaml_text import digest
from clbench.plan.plan import Plan
from clbench.records.store import run_folder, scenario_id, unpinned_id

SEARCHES = ".search"
"""The folder below the results that holds what searches tried out; readers of results do not enter it."""
LOOK = 2.0
"""Seconds to wait for a lock: whoever only looks whether it is held (`clbench status`) holds it for a moment."""


@dataclass(frozen=True)
class Place:
    """The files of one run below a results folder."""

    results: Path
    folder: Path
    """Of the configuration; its seeds lie side by side."""
    seed: int
    trial: bool = False
    """Whether this is a trial of a search, whose record no reader of results takes for one of theirs."""

    @property
    def record(self) -> Path:
        """The record, written last."""
        return self.folder / f"{'trial' if self.trial else 'seed'}{self.seed}.json"

    @property
    def work(self) -> Path:
        """The folder of scores, states and notes."""
        return self.folder / f"seed{self.seed}"

    @property
    def state_file(self) -> Path:
        """The state from which the run goes on."""
        return self.work / "state.pt"

    def held(self) -> AbstractContextManager[object]:
        """Return a context in which this process alone carries out the run; entering raises filelock.Timeout."""
        return FileLock(f"{self.work}.lock", timeout=LOOK)

    def make(self) -> None:
        """Make the folders. Raises ResultsError where nothing can be written, before anything is trained."""
        probe = self.work / f".writable.{os.getpid()}"
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise self.unwritable(error) from error

    def unwritable(self, error: OSError) -> ResultsError:
        """Return what to say where the results folder cannot be read or written."""
        return ResultsError(
            f"{self.results}: results cannot be written there ({error.strerror}).",
            hint="Name another folder with --results.",
        )

    def remove_unfinished(self) -> None:
        """Remove files that a killed process began to write."""
        remove_unfinished(self.work)
        remove_unfinished(self.folder, f".{self.record.name}.*.tmp")

    def tidy_up(self) -> None:
        """Remove what a process left that was killed between its record and its end."""
        if self.state_file.exists():
            with contextlib.suppress(OSError, Timeout), self.held():
                remove_unfinished(self.work)
                self.state_file.unlink(missing_ok=True)


def place_of(plan: Plan, configuration: str, *, results: Path) -> Place:
    """Return where a plan's files lie below `results`."""
    scenario = scenario_id(plan.scenario.name, version=plan.scenario.version, stand_in=_instead(plan))
    if plan.trial is None:
        return Place(results, run_folder(results, scenario, plan.entry.name, configuration), plan.seed)
    # a trial is told apart by what it is scored on, so that searches of one scenario share what they have in common
    shown = digest([plan.scenario.digest(), msgspec.to_builtins(plan.trial)])[:8]
    folder = run_folder(results / SEARCHES, f"{scenario}.{shown}", plan.entry.name, configuration)
    return Place(results, folder, plan.seed, trial=True)


def _instead(plan: Plan) -> str:
    """Return what sets the results folder of a run apart that is not on its scenario's own data."""
    if plan.unpinned:
        return unpinned_id(open_table(plan.dataset, root=plan.root, options=plan.options).digest())
    return plan.dataset if plan.stand_in else ""


def check_writable(results: Path) -> None:
    """Raise ResultsError when records cannot be written below `results`, which is made where it is missing."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=results, prefix=".probe-"):
            pass
    except OSError as error:
        raise ResultsError(
            f"{results}: results cannot be written there ({error.strerror}).",
            hint="Name another folder with --results, or change the folder's permissions.",
        ) from error
