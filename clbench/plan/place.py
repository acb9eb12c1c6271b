"""Where the files of a run lie, who may write them, and what is left of a process that was killed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from clbench.errors import ResultsError
from clbench.files import roots
from clbench.files.whole_file import PART, remove_unfinished
from clbench.spec.orders import file_name

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
        remove_unfinished(self.folder, f"{self.record.name}.*{PART}")

    def remove_if_empty(self) -> None:
        """Remove the lock of a run without a record, which this process holds, and the folders with nothing in them."""
        with contextlib.suppress(OSError):
            Path(f"{self.work}.lock").unlink()  # an open file cannot be removed everywhere
        with contextlib.suppress(OSError):
            self.work.rmdir()  # refused where anything lies in it, as with the others
            for folder in (self.folder, *self.folder.parents):
                if folder == self.results:
                    break
                folder.rmdir()

    def tidy_up(self) -> None:
        """Remove what a process left that was killed between its record and its end."""
        if self.state_file.exists():
            with contextlib.suppress(OSError, Timeout), self.held():
                remove_unfinished(self.work)
                self.state_file.unlink(missing_ok=True)


def scenario_id(name: str, *, version: int, stand_in: str = "", order: str = "") -> str:
    """Return the folder name of a scenario's results; `stand_in` names the data set that stood in, if one did.

    `order` is the class order where it is not the scenario's own.
    """
    return ".".join(filter(None, [name, f"v{version}", stand_in, file_name(order)]))


def unpinned_id(data_digest: str) -> str:
    """Return what tells results on data other than the pinned apart in a folder's name."""
    return f"unpinned-{data_digest[:8]}"


def run_folder(results: Path, scenario_id: str, strategy: str, configuration: str) -> Path:
    """Return the folder that holds the records of one configuration, one per seed."""
    return results / scenario_id / strategy / configuration[:8]


def check_writable(results: Path) -> None:
    """Raise ResultsError when records cannot be written below `results`, which is made where it is missing.

    Nothing runs in the folder of the records that clbench ships: a run there would take them for its own.
    """
    shipped = roots.reference_results()
    if shipped is not None and results.resolve().is_relative_to(shipped.resolve()):
        raise ResultsError(
            f"{results}: holds the records that clbench ships; no run writes there.",
            hint="Run in another folder, then: clbench verify RECORDS --scores --submit",
        )
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=results, prefix=".probe-"):
            pass
    except OSError as error:
        raise ResultsError(
            f"{results}: results cannot be written there ({error.strerror}).",
            hint="Name another folder with --results, or change the folder's permissions.",
        ) from error
