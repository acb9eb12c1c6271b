"""Which photos of a table lie in its folder, in whatever of the usual layouts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from clbench.errors import DataError

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
"""The endings of picture files that count."""


def photo_path(root: Path, relative: str) -> Path:
    """Return the file of a table's `relative` path, refusing one that leaves `root` by a link.

    A folder directly below `root` may be a link (data sets often lie on another disk); anything else that resolves to
    a place outside raises DataError.
    """
    path = root / relative
    home = root.resolve()
    first = (root / PurePosixPath(relative).parts[0]).resolve()
    real = path.resolve()
    if real.is_relative_to(home) or (first.is_dir() and real.is_relative_to(first)):
        return path
    raise DataError(f"{path}: leads out of the data folder, to {real}.", hint="Put the photo itself into the folder.")


def absent(root: Path, paths: Sequence[str]) -> list[int]:
    """Return the positions in `paths` whose file is not below `root`; one listing per folder, no file is opened."""
    by_folder: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for position, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        by_folder[folder].append((position, name))
    missing: list[int] = []
    for folder, wanted in by_folder.items():
        names = file_names(root / folder)
        missing.extend(position for position, name in wanted if name not in names)
    return sorted(missing)


def settle(root: Path, paths: Sequence[str], *, ways: Iterable[Callable[[str], str]]) -> tuple[list[str], list[int]]:
    """Return each path as the first of `ways` finds it below `root`, and the positions that none of them finds."""
    found, gone = list(paths), list(range(len(paths)))
    for way in ways:
        places = [way(paths[position]) for position in gone]
        still = absent(root, places)
        for index in set(range(len(gone))).difference(still):
            found[gone[index]] = places[index]
        gone = [gone[index] for index in still]
        if not gone:
            break
    return found, gone


def file_names(folder: Path) -> set[str]:
    """Return the names of what lies directly in `folder`; an empty set when it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def folder_names(folder: Path) -> list[str]:
    """Return the names of the folders directly in `folder`, sorted; none when it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def below(folder: Path, *, endings: Iterable[str] = PHOTOS) -> dict[str, list[str]]:
    """Return, for each photo's file name below `folder`, its relative paths (more than one when names repeat)."""
    wanted = tuple(endings)
    found: dict[str, list[str]] = defaultdict(list)
    for place, folders, files in os.walk(folder):
        folders.sort()
        relative = Path(place).relative_to(folder).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in files:
            if name.lower().endswith(wanted):
                found[name].append(prefix + name)
    return dict(found)


def refuse_absent(name: str, *, root: Path, paths: Sequence[str], missing: Sequence[int], hint: str) -> None:
    """Raise DataError naming how many photos and the first of them are not below `root`, unless `missing` is empty."""
    if not missing:
        return
    shown = ", ".join(paths[position] for position in missing[:3])
    more = ", ..." if len(missing) > 3 else ""
    raise DataError(f"{name}: {len(missing):,} of {len(paths):,} photos are not in {root}: {shown}{more}.", hint=hint)
