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
def whole_file(path: Path, *, what: str, scratch: Path | None = None) -> Iterator[BinaryIO]:
    """Give a file to write; after a crash at any instant the old or the new one is at `path`, whole.

    It is written in the folder `scratch` on the same disk (default: where it will lie) and moved. Raises ResultsError
    naming `what` when it cannot be written; what was there before stays.
    """
    partial = (scratch or path.parent) / f"{path.name}.{os.getpid()}{PART}"
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    # torch's writer turns the error of a full disk into a RuntimeError
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else error.__context__
        # NumPy says only how much of an array it could write
        text = getattr(reason, "strerror", None) or f"{str(error).partition(chr(10))[0]}: is the disk full?"
        raise ResultsError(
            f"{path}: {what} cannot be written ({text}).",
            hint="Make room or write access there and run the command again: it goes on from the last saved state.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def remove_unfinished(folder: Path, pattern: str = f"*{PART}") -> None:
    """Remove what killed processes left half written in a folder that nobody else writes to now."""
    for partial in folder.glob(pattern):
        with contextlib.suppress(OSError):
            partial.unlink()
