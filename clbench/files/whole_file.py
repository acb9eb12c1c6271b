"""Files that are whole or absent, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from clbench.errors import ResultsError

PART = ".part"
"""What the names of unfinished files end with."""


@contextlib.contextmanager
def in_place_of(path: Path, *, scratch: Path | None = None, flush: bool = True) -> Iterator[BinaryIO]:
    """Give a file to write that takes its place at `path` when the body ends, and is gone where it does not.

    It is written in the folder `scratch` on the same disk (default: where it will lie). With `flush` it lies on the
    disk, under its name, before this returns. Raises OSError.
    """
    partial = (scratch or path.parent) / f"{path.name}.{os.getpid()}{PART}"
    partial.unlink(missing_ok=True)
    try:
        with partial.open("xb") as file:
            yield file
            if flush:
                file.flush()
                os.fsync(file.fileno())
        move(partial, path, flush=flush)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def move(part: Path, path: Path, *, flush: bool = True) -> None:
    """Let a file or folder written at `part`, on the same disk, take its place at `path`, as `in_place_of` does."""
    part.replace(path)
    if flush:
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    # without this a crash of the machine may lose the renamed entry; Windows cannot open folders
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def cannot_be_written(path: Path, *, what: str) -> Iterator[None]:
    """Turn an error of the disk in the body into a ResultsError that names `what` was to be written at `path`."""
    try:
        yield
    # torch's writer turns the error of a full disk into a RuntimeError
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else error.__context__
        # NumPy says only how much of an array it could write
        text = getattr(reason, "strerror", None) or f"{str(error).partition(chr(10))[0]}: is the disk full?"
        raise ResultsError(
            f"{path}: {what} cannot be written ({text}).",
            hint="Make room or write access there and run the command again: it goes on from the last saved state.",
        ) from error


@contextlib.contextmanager
def whole_file(path: Path, *, what: str, scratch: Path | None = None) -> Iterator[BinaryIO]:
    """Give a file to write; after a crash at any instant the old or the new one is at `path`, whole.

    It is written in the folder `scratch` on the same disk (default: where it will lie) and moved. Raises ResultsError
    naming `what` when it cannot be written; what was there before stays.
    """
    with cannot_be_written(path, what=what), in_place_of(path, scratch=scratch) as file:
        yield file


def remove_unfinished(folder: Path, pattern: str = f"*{PART}") -> None:
    """Remove what killed processes left half written in a folder that nobody else writes to now."""
    for partial in folder.glob(pattern):
        with contextlib.suppress(OSError):
            partial.unlink()
