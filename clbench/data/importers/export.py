"""What an export says, in one shape for every form: photos with labels that are present, absent or unknown."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option
from clbench.data.importers.source import Source
from clbench.data.shards.shards import Shards
from clbench.errors import DataError

PRESENT, ABSENT, UNKNOWN = 1, 0, -1


@dataclass
class Entry:
    """One photo of an export.

    `place` is where the export names it, for messages; `marks` holds 1, 0 or -1 for every label it speaks of; `bases`
    are the folders below the photos' root to look in first; `columns` are further facts that `--group` may name.
    """

    file: str
    place: str
    marks: dict[str, int] = field(default_factory=dict)
    split: str = ""
    bases: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    picture: bytes | None = field(default=None, repr=False)
    """The photo itself, where the export holds it."""
    row: int = -1
    """Where an export of rows holds it: its place among those of all files."""


@dataclass
class Export:
    """Everything that was read of an export.

    `labels` are in the order that the source gives, or None where it gives none (then alphabetical). `unsaid` is what a
    label is where an entry does not speak of it: 0 absent, or -1 unknown.
    """

    entries: list[Entry]
    labels: list[str] | None = None
    unsaid: int = ABSENT
    read: list[str] = field(default_factory=list)
    """The files that were read, below the source's root."""
    notes: list[str] = field(default_factory=list)
    """What was dropped, merged, renamed or taken for unknown, a sentence each."""
    features: npt.NDArray[np.float32] | None = None
    """[entries, numbers] for tables of features, which have no photos."""
    shards: Shards | None = None
    """What holds the photos, where they are members of tars."""


@dataclass(frozen=True)
class Form:
    """A form of export: `fits` returns the files that are of it, `read` what they say; `plain` ones need no import."""

    name: str
    title: str
    fits: Callable[[Source], list[str]]
    read: Callable[[Source, list[str], Mapping[str, str]], Export]
    options: tuple[Option, ...] = ()


def merged(export: Export) -> Export:
    """Return the export with one entry per photo; what is said of it in several places is put together and noted.

    Raises DataError for a photo in two splits.
    """
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in export.entries:
        groups[entry.file].append(entry)
    disputes = 0
    for kept, *others in groups.values():
        said: dict[str, set[int]] = defaultdict(set)
        for entry in (kept, *others):
            if kept.split != entry.split:
                raise DataError(
                    f"{entry.place}: {entry.file} is in the split {entry.split!r}, but {kept.split!r} at {kept.place}.",
                    hint="A photo belongs to one split. Take one of the two out.",
                )
            for label, value in entry.marks.items():
                said[label].add(value)
        for label, values in said.items():
            dispute = {PRESENT, ABSENT} <= values
            kept.marks[label] = UNKNOWN if dispute else max(values)
            disputes += dispute
    repeats = len(export.entries) - len(groups)
    if repeats:
        export.notes.append(f"{repeats:,} entries name a photo that was named before: their labels are put together")
    if disputes:
        export.notes.append(f"{disputes:,} labels are unknown because entries of one photo disagree on them")
    export.entries = [kept for kept, *_ in groups.values()]
    return export


def named_once(names: Iterable[str], *, what: str, notes: list[str]) -> list[str]:
    """Return the names without surrounding blanks and without repeats, noting both.

    Raises DataError for a label without a name.
    """
    names = list(names)
    clean = [name.strip() for name in names]
    if any(not name for name in clean):
        raise DataError(f"{what}: a label has no name.", hint="Name every label in the export.")
    twice = sorted(name for name, count in Counter(clean).items() if count > 1)
    if twice:
        notes.append(f"labels that occur twice under one name are merged: {', '.join(twice)}")
    return list(dict.fromkeys(clean))


def split_of(*words: str) -> str:
    """Return "train", "val" or "test" where a file or folder name says so, else "".

    >>> split_of("instances_val2017"), split_of("validation"), split_of("latest")
    ('val', 'val', '')
    """
    for word in words:
        for token in re.split(r"[^a-z]+", Path(word).name.lower()):
            for split, names in _SPLITS.items():
                if token in names:
                    return split
    return ""


_SPLITS = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
