"""Where records lie in a results folder, and how all of them are read."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import ResultsError
from clbench.plan.place import run_folder, scenario_id, unpinned_id
from clbench.records.folder import RECORD, check_folder
from clbench.records.orders import order_of
from clbench.records.record import Record, read_record
from clbench.spec.orders import is_order

log = logging.getLogger(__name__)

REFERENCE = "reference"
"""The folder below the checkout's results that holds what clbench ships; readers of results do not enter it."""


@dataclass(frozen=True)
class Stored:
    """A record and the file it lies in."""

    path: Path
    record: Record


@dataclass(frozen=True)
class Damaged:
    """A file that should be a record and is not, or lies where it does not belong."""

    path: Path
    error: ResultsError


def is_unpinned_id(scenario_id: str) -> bool:
    """Return whether the folder holds results on data other than the pinned."""
    return ".unpinned-" in scenario_id


def is_order_id(scenario_id: str) -> bool:
    """Return whether the folder holds results in a class order other than the scenario's own."""
    name, _, seed = scenario_id.rpartition(".")[2].partition("-")
    return is_order(f"{name}:{seed}" if seed else name)


def scenario_folders(results: Path, scenario: str) -> list[Path]:
    """Return what lies below a results folder of the scenario called `scenario`, whatever was typed for a name, sorted.

    Each version, stand-in and class order has a folder of its own.
    """
    there = results.iterdir() if results.is_dir() else ()
    return sorted(folder for folder in there if folder.name.startswith(f"{scenario}.v"))


def record_scenario_id(record: Record) -> str:
    """Return the folder name of the scenario that a record belongs to."""
    scenario = record.scenario
    instead = scenario.dataset if scenario.stand_in else ""
    if "unpinned" in record.marks:
        instead = unpinned_id(scenario.data.digest)
    return scenario_id(scenario.name, version=scenario.version, stand_in=instead, order=order_of(record))


def record_path(results: Path, record: Record) -> Path:
    """Return the file that a record belongs in."""
    folder = run_folder(results, record_scenario_id(record), record.strategy.name, record.configuration)
    return folder / f"seed{record.seed}.json"


def record_files(results: Path) -> Iterator[Path]:
    """Yield every record file below a results folder in a fixed order; work folders and links are not entered.

    Raises ResultsError where there is no such folder, or another one must be meant.
    """
    check_folder(results)
    yield from _files(str(results), depth=0)


def scan(results: Path) -> tuple[list[Stored], list[Damaged]]:
    """Read every record below a results folder; what cannot be read or lies astray comes back with its error."""
    stored: list[Stored] = []
    damaged: list[Damaged] = []
    for path in record_files(results):
        try:
            record = read_record(path)
            _check_place(path, record, results=results)
            stored.append(Stored(path, record))
        except ResultsError as error:
            damaged.append(Damaged(path, error))
    return stored, damaged


def _files(folder: str, *, depth: int) -> Iterator[Path]:
    # scenario / strategy / configuration / seedN.json: os.scandir is several times faster than Path.glob
    try:
        with os.scandir(folder) as opened:
            entries = sorted(opened, key=lambda entry: entry.name)
    except PermissionError as error:
        if not depth:
            raise ResultsError(f"{folder}: cannot be read ({error.strerror}).", hint="Whose folder is it?") from error
        log.warning("%s: cannot be read (%s); records in it are left out", folder, error.strerror)
        return
    for entry in entries:
        if depth == 3:
            if RECORD.match(entry.name) and entry.is_file():
                yield Path(entry.path)
        elif entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".") and entry.name != REFERENCE:
            yield from _files(entry.path, depth=depth + 1)


def _check_place(path: Path, record: Record, *, results: Path) -> None:
    right = record_path(results, record)
    if path != right:
        raise ResultsError(
            f"{path}: the record inside belongs to {right.relative_to(results)}.",
            hint=f"Move it there: mv {path} {right}",
        )
