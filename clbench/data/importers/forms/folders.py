"""A folder per label, alone or below train, val and test; a photo with several labels lies in several of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import PRESENT, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.data.pictures.photo_files import PHOTOS
from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, read_given

NO_LABELS = ("images", "labels", "annotations")
OPTIONS = (
    Option(
        "twins",
        "refuse",
        "whether equal photos in train and in test are refused or allowed",
        ("refuse", "allow"),
    ),
)


def fits(source: Source) -> list[str]:
    """Return the photos, where all of them lie in folders that can be labels."""
    photos = source.ending(*PHOTOS)
    labels = {label for _, label in _places(photos).values()}
    return photos if len(labels) > 1 and "" not in labels else []


def _places(files: list[str]) -> dict[str, tuple[str, str]]:
    """Return (split, label) of each LABEL/photo or SPLIT/LABEL/photo, and no label for any other place.

    A folder called train beside one that is no split is a label: trains are photographed too.

    >>> _places(["train/cat/a.jpg", "train/b.jpg"])
    {'train/cat/a.jpg': ('train', 'cat'), 'train/b.jpg': ('train', '')}
    >>> _places(["train/a.jpg", "bus/b.jpg"])
    {'train/a.jpg': ('', 'train'), 'bus/b.jpg': ('', 'bus')}
    """
    parts = {file: PurePosixPath(file).parent.parts for file in files}
    tops = {place[0] for place in parts.values() if place}
    flat = all(len(place) == 1 for place in parts.values()) and any(not split_of(top) for top in tops)
    found = {}
    for file, place in parts.items():
        split = split_of(place[0]) if place and not flat else ""
        rest = place[1:] if split else place
        found[file] = (split, rest[0] if len(rest) == 1 and rest[0].lower() not in NO_LABELS else "")
    return found


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what folders say. Photos with equal bytes are one photo with the labels of all its folders.

    Raises DataError for one photo in two splits.
    """
    export, places = Export([], read=files), _places(files)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for file in files:
        groups[(_digest(source, file), places[file][0])].append(file)
    sides: dict[str, str] = {}
    for (digest, split), twins in groups.items():
        other = sides.setdefault(digest, twins[0])
        if other != twins[0] and options["twins"] == "refuse":
            raise DataError(
                f"{source.place(twins[0])}: the same photo as {source.place(other)}, in another split.",
                hint="Take one of the two out, or allow it: --option twins=allow",
            )
        entry = Entry(twins[0], source.place(twins[0]), split=split)
        entry.marks = {places[file][1]: PRESENT for file in twins}
        export.entries.append(entry)
    if len(sides) < len(groups):
        export.notes.append("photos of train are in test too: read the table with the option duplicates=keep")
    several = [twins for twins in groups.values() if len(twins) > 1]
    for twins in several:
        export.notes.append(f"one photo, byte for byte: {', '.join(twins)}")
    if several:
        export.notes.append(f"{sum(map(len, several)):,} files are {len(several):,} photos in several places")
    else:
        export.notes.append("no photo lies in two folders: every photo has one label")
    return export


def _digest(source: Source, file: str) -> str:
    try:
        return hashlib.sha256(read_given(source.root / file, largest=LARGEST_TABLE)).hexdigest()
    except OSError as error:
        raise DataError(f"{source.place(file)} cannot be read ({error.strerror}).") from error


FORM = Form("folders", "a folder per label, alone or below train and test", fits, read, OPTIONS)
