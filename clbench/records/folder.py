"""Whether a folder that was named is a folder of results, and what is said where it is none."""

from __future__ import annotations

from pathlib import Path

from clbench.errors import ResultsError

DEPTH = 4
"""How many folders and files deep a record lies below a results folder: scenario, strategy, configuration, file."""


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
    meant = file.absolute().parents[DEPTH - 1 : DEPTH] if file.match("seed*.json") else ()
    return _name(meant[0]) if meant else "Name one with --results."


def _meant(folder: Path) -> Path | None:
    """Return the results folder that the records in `folder` belong to, if it is another one."""
    if _holds(folder, depth=DEPTH):
        return None
    for depth in range(DEPTH - 1, 0, -1):
        if _holds(folder, depth=depth):
            return folder.absolute().parents[DEPTH - 1 - depth]
    return inner if _holds(inner := folder / "results", depth=DEPTH) else None


def _holds(folder: Path, *, depth: int) -> bool:
    """Return whether some record lies exactly `depth` steps below a folder."""
    return any(folder.glob("*/" * (depth - 1) + "seed*.json"))


def _name(meant: Path) -> str:
    return f"Name that one: --results {meant}"
