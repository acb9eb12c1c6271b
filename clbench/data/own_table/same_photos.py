"""The same photo under several names: found by its bytes, and counted once with the labels of all."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clbench.data.datasets.dataset import Option
from clbench.data.shards.shards import Shards
from clbench.data.table import LabelTable
from clbench.errors import DataError

END = 4096
"""Bytes at each end of a file that are compared before the whole of it is read."""
DUPLICATES = Option(
    "duplicates",
    "merge",
    "what to do with files that are byte for byte the same: `merge` takes them for one photo with all their "
    "labels, and refuses one that is in train and in test; `keep` leaves them as they are",
    ("merge", "keep"),
)


def same_photos(root: Path, paths: Sequence[str]) -> list[list[int]]:
    """Return the positions in `paths` of files with equal bytes, a list for each such photo; absent ones are skipped.

    Whole files are read only where their lengths and ends are equal, so that a large folder takes a second.
    """
    groups: list[list[int]] = [list(range(len(paths)))]
    for key in (_length, _ends, _digest):
        groups = [part for group in groups for part in _split(group, key, root, paths)]
    return groups


def merged(table: LabelTable, *, root: Path) -> LabelTable:
    """Return the table with each photo once, carrying every label of its rows.

    A label is positive where any row says so, else unknown where any row does. Raises DataError for a photo that is in
    train and in test.
    """
    return _one_each(table, same_photos(root, table.paths.tolist()), called=lambda row: str(table.paths[row]))


def merged_in(shards: Shards, table: LabelTable) -> LabelTable:
    """Return what `merged` does, for a table whose paths are rows of shards.

    Pictures as long as another are read once, in the order in which they lie.
    """
    places = table.paths.astype(np.int64)
    _, which, times = np.unique(shards.sizes[places], return_inverse=True, return_counts=True)
    alike = np.flatnonzero(times[which] > 1)
    found: dict[bytes, list[int]] = defaultdict(list)
    for row in alike[np.argsort(places[alike], kind="stable")].tolist():
        found[hashlib.sha256(shards.read(int(places[row]), ahead=True)).digest()].append(row)
    groups = sorted(sorted(group) for group in found.values() if len(group) > 1)
    return _one_each(table, groups, called=lambda row: shards.place(int(places[row])))


def _one_each(table: LabelTable, groups: list[list[int]], *, called: Callable[[int], str]) -> LabelTable:
    if not groups:
        return table
    across = [group for group in groups if len(set(table.split[group].tolist())) > 1]
    if across:
        pair = [next(row for row in across[0] if table.split[row] == split) for split in ("train", "test")]
        raise DataError(
            f"{table.name}: {len(across):,} photos are in train and in test, byte for byte the same: "
            f"{called(pair[0])} and {called(pair[1])}.",
            hint="Take them out of one split, or allow it with the option duplicates=keep.",
        )
    y, member, keep = table.y.copy(), table.member.copy(), np.ones(len(table), dtype=np.bool_)
    for first, *others in groups:
        rows = table.y[[first, *others]]
        y[first] = np.where((rows == 1).any(axis=0), 1, np.where((rows == -1).any(axis=0), -1, 0))
        member[first] = table.member[[first, *others]].any(axis=0)
        keep[others] = False
    one, other = (called(row) for row in groups[0][:2])
    note = (
        f"{sum(map(len, groups)):,} rows are {len(groups):,} photos, byte for byte the same ({one} and {other}); "
        "each counts once, with the labels of all its rows"
    )
    return replace(
        table,
        ids=table.ids[keep],
        paths=table.paths[keep],
        y=y[keep],
        member=member[keep],
        split=table.split[keep],
        notes=(*table.notes, note),
    )


def _split(
    rows: Iterable[int], key: Callable[[Path], Hashable], root: Path, paths: Sequence[str]
) -> Iterable[list[int]]:
    """Return the parts of `rows` whose files have equal keys and that have at least two rows."""
    found: dict[Hashable, list[int]] = defaultdict(list)
    known: dict[str, Hashable] = {}
    for row in rows:
        path = paths[row]
        if path not in known:
            try:
                known[path] = key(root / path)
            except OSError:
                known[path] = None
        if known[path] is not None:
            found[known[path]].append(row)
    return [part for part in found.values() if len(part) > 1]


def _length(path: Path) -> int | None:
    return path.stat().st_size or None


def _ends(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(END)
        file.seek(max(0, path.stat().st_size - END))
        return start + file.read(END)


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
