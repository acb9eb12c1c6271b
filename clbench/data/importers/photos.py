"""Where the photos of an export lie."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from clbench.data.importers.export import Export
from clbench.data.importers.source import Source
from clbench.data.pictures.photo_files import PHOTOS
from clbench.errors import DataError

SHOWN = 5
LINK = "photos"
UPLOAD = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a photo that was uploaded."""


def settle_photos(export: Export, root: Path, *, missing: str) -> list[str]:
    """Give every entry the path of its photo below `root`; return the photos there that no entry names.

    An entry's file is looked for in its own folders, then as a path, then by its name alone, at last in whatever letter
    case, where that is unambiguous. Raises DataError where a name fits several photos, and, unless `missing` is "drop",
    where a photo is absent.
    """
    there = Source(root).ending(*PHOTOS) if root.is_dir() else []
    exact = set(there)
    names: dict[str, list[str]] = defaultdict(list)
    in_any_case: dict[str, list[str]] = defaultdict(list)
    stems: dict[str, list[str]] = defaultdict(list)
    for path in there:
        names[PurePosixPath(path).name].append(path)
        in_any_case[PurePosixPath(path).name.lower()].append(path)
        stems[PurePosixPath(path).stem].append(path)
    kept, gone, by_name = [], [], 0
    for entry in export.entries:
        wanted = entry.file.replace("\\", "/")
        whole = wanted.lower().endswith(PHOTOS)
        places = [posixpath.normpath(posixpath.join(base, wanted)) for base in (*entry.bases, "")]
        place = next((spot for spot in places if spot in exact), None)
        if place is None:
            name = PurePosixPath(wanted).name
            found = stems.get(name, [])
            if whole:
                found = names.get(name) or names.get(UPLOAD.sub("", name)) or in_any_case.get(name.lower(), [])
            found = _nearest(found, places) if len(found) > 1 else found
            if len(found) > 1:
                raise DataError(
                    f"{entry.place}: {entry.file} can be {found[0]} or {found[1]}.",
                    hint="Give the photos names of their own, or name their folder: --photos FOLDER",
                )
            place = found[0] if found else None
            by_name += place is not None and whole
        if place is None:
            gone.append(entry)
        else:
            entry.file, entry.bases = place, ()
            kept.append(entry)
    if gone and (missing != "drop" or not kept):
        raise DataError(
            f"{gone[0].place}: {gone[0].file} is not in {root}; "
            f"{len(gone):,} of {len(export.entries):,} photos are absent.",
            hint="Name the folder of the photos with --photos FOLDER, or leave these out with --missing drop.",
        )
    if gone:
        shown = ", ".join(entry.file for entry in gone[:SHOWN])
        export.notes.append(
            f"{len(gone):,} photos are absent and left out: {shown}{', …' if len(gone) > SHOWN else ''}"
        )
    if by_name:
        export.notes.append(
            f"{by_name:,} photos were found by name, in another folder or letter case than the export says"
        )
    export.entries = kept
    used = {entry.file for entry in kept}
    return [path for path in there if path not in used]


def _nearest(found: list[str], places: list[str]) -> list[str]:
    """Return the paths that share the longest end with one of `places`."""
    reach = {path: max(_shared(path, place) for place in places) for path in found}
    return [path for path in found if reach[path] == max(reach.values())]


def _shared(one: str, other: str) -> int:
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count


def prefix_of(photos: Path, folder: Path) -> str:
    """Return what leads from `folder` to the photos: their place below it, or "photos/", which `reach` makes."""
    home, there = folder.resolve(), photos.resolve()
    if not there.is_relative_to(home):
        return LINK + "/"
    inside = there.relative_to(home).as_posix()
    return "" if inside == "." else f"{inside}/"


def reach(photos: Path, folder: Path, *, copy: Sequence[str] | None) -> None:
    """Make photos that lie elsewhere reachable as `folder`/photos: copies of those in `copy`, or a link to `photos`.

    Raises DataError where something of that name is there.
    """
    home, there, link = folder.resolve(), photos.resolve(), folder / LINK
    if there.is_relative_to(home) or (link.is_symlink() and link.resolve() == there):
        return
    if link.exists() or link.is_symlink():
        raise DataError(f"{link} is there already.", hint="Name another folder with --to.")
    if copy is None:
        # between neighbours a relative link outlives a move of both
        near = home.parent == there.parent or there.is_relative_to(home.parent)
        link.symlink_to(os.path.relpath(there, home) if near else there, target_is_directory=True)
    for path in copy or ():
        target = link / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photos / path, target)
