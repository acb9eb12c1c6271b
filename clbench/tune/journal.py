"""The trials of a search as a file: which settings were tried, and what each came to on the validation images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct, field

from clbench.errors import ResultsError
from clbench.files.given import LARGEST_TABLE, read_given
from clbench.files.sealed_json import sealed, unsealed
from clbench.files.whole_file import remove_unfinished, whole_file
from clbench.plan.place import LOOK


class Trial(Struct, forbid_unknown_fields=True):
    """One setting that is or was tried. `value` is the mean of `values`, one per seed."""

    number: int
    set: dict[str, Any]
    state: Literal["open", "done", "failed"] = "open"
    value: float | None = None
    values: list[float] = field(default_factory=list)
    error: str = ""
    """Why there is no value."""


class Journal(Struct, forbid_unknown_fields=True):
    """All trials of one strategy's search, and what was searched."""

    about: dict[str, Any]
    trials: list[Trial] = field(default_factory=list)
    optuna: list[str] = field(default_factory=list)
    """The versions of Optuna that suggested them, in this order; trials of earlier releases do not say."""


def read_journal(path: Path, *, about: dict[str, Any]) -> Journal:
    """Return the journal in `path`, a fresh one where there is none. Raises ResultsError for a damaged one."""
    try:
        found = msgspec.convert(unsealed(read_given(path, largest=LARGEST_TABLE), bare=True), Journal)
    except FileNotFoundError:
        return Journal(about)
    except (OSError, msgspec.ValidationError, ResultsError) as error:
        reason = error.message if isinstance(error, ResultsError) else f"cannot be read ({error})"
        raise ResultsError(
            f"{path}: the file of the search's trials {reason}.",
            hint="Delete the file: the search starts anew and does not repeat runs that are finished.",
        ) from error
    if found.about != about or [trial.number for trial in found.trials] != list(range(len(found.trials))):
        raise ResultsError(
            f"{path}: these are not the trials of this search.",
            hint="Delete the file: the search starts anew and does not repeat runs that are finished.",
        )
    return found


def write_journal(journal: Journal, path: Path) -> None:
    """Write the journal so that it is whole at any instant. Raises ResultsError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, what="the trials of the search") as file:
        file.write(sealed(msgspec.to_builtins(journal), indent=1))


@contextmanager
def held(path: Path, *, title: str) -> Iterator[None]:
    """Carry out a search alone: while entered, no other process writes the journal `path`. Raises ResultsError."""
    lock = FileLock(path.with_suffix(".lock"), timeout=LOOK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ResultsError(
            f"{title}: another process is carrying out this search ({path}).",
            hint="Wait for it; the same command goes on from what it has finished.",
        ) from None
    except OSError as error:
        raise ResultsError(
            f"{path.parent}: trials cannot be written there ({error.strerror}).",
            hint="Name another folder with --results.",
        ) from error
    try:
        remove_unfinished(path.parent, f"{path.name}.*.part")
        yield
    finally:
        lock.release()
