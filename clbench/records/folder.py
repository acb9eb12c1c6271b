"""Whether a folder that was named is a folder of results, and what is said where it is none."""

from __future__ import annotations

import re
from pathlib import Path

from clbench.errors import ResultsError

DEPTH = 4
"""How many folders and files deep a record lies below a results folder: scenario, strategy, configuration, file."""
_CONFIGURATION = re.compile(r"[0-9a-f]{8}")
RECORD = re.compile(r"seed(0|[1-9][0-9]*)\.json\Z")
"""The name of a record's file."""


def check_folder(results: Path) -> None:
    """Raise ResultsError where there is no such folder, or one inside or around it must be meant.

    Records one folder too high or too deep would be passed over in silence.
    """
    if results.exists() and not results.is_dir():
        raise ResultsError(f"{results}: is a file, and results are a folder.", hint=_hint(results))
    if not results.is_dir():
        hint = "Name one with --results, or run something first: clbench run tiny"
        raise ResultsError(f"{results}: no such results folder.", hint=hint)
    meant = _meant(results)
    if meant is not None:
        raise ResultsError(f"{results}: the records there are those of another results folder.", hint=_name(meant))


def _hint(file: Path) -> str:
    meant = _of_record(file)
    return _name(meant) if meant else "Name one with --results."


def _meant(folder: Path) -> Path | None:
    """Return the results folder that the records in `folder` belong to, if it is another one."""
    if _first(folder, depth=DEPTH):
        return None
    inside = (found for depth in range(1, DEPTH) if (found := _first(folder, depth=depth)))
    return next(inside, None) or _first(folder / "results", depth=DEPTH)


def _first(folder: Path, *, depth: int) -> Path | None:
    """Return the results folder of the first record that lies exactly `depth` steps below a folder."""
    return next(filter(None, map(_of_record, folder.glob("*/" * (depth - 1) + "seed*.json"))), None)


def _of_record(file: Path) -> Path | None:
    """Return the results folder that a file lies in, if it lies where a record would."""
    configuration, *above = file.absolute().parents
    placed = RECORD.match(file.name) and _CONFIGURATION.fullmatch(configuration.name) and len(above) >= DEPTH - 1
    return above[DEPTH - 2] if placed else None


def _name(meant: Path) -> str:
    return f"Name that one: --results {meant}"
