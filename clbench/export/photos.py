"""Which photos are meant by files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clbench.data.pictures.photo_files import PHOTOS
from clbench.errors import DataError, UsageError


def named_photos(named: Sequence[Path]) -> list[Path]:
    """Return the files, and of each folder the photos directly in it by name. Raises DataError."""
    found: list[Path] = []
    for path in named:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in PHOTOS)
            if not inside:
                raise UsageError(f"{path}: a folder without photos.", hint=f"Photos end in {', '.join(PHOTOS)}.")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"{path}: no such photo.")
    return found
