"""Which photos of an export become train and which test."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clbench.data.importers.export import Entry, Export
from clbench.data.importers.splitting import stratified_test
from clbench.errors import DataError, UsageError, suggest

HINT = "Split the photos: --split 0.2 --seed 0"
PATTERN = "path:"
Marks = npt.NDArray[np.int8]


def new_splits(
    export: Export, y: Marks, *, share: float, seed: int, group: str, twins: Sequence[Sequence[int]] = ()
) -> list[str]:
    """Return train or test for each entry, stratified over the labels; the order of the entries does not matter.

    `group` is a column of the export, or "path:REGEX". Entries that `twins` lists as one photo stay together too.
    Raises UsageError for a share or group that cannot be meant.
    """
    if not 0 < share < 1:
        raise UsageError(f"--split {share:g}: expected the share of test photos, above 0 and below 1.")
    entries = export.entries
    if any(entry.split for entry in entries):
        export.notes.append("the export's own split is not used: --split was given")
    order = sorted(range(len(entries)), key=lambda row: entries[row].file)
    groups = _joined(_groups(entries, group), twins)
    if twins:
        export.notes.append(f"{sum(map(len, twins)):,} entries are {len(twins):,} photos, byte for byte: kept together")
    test = stratified_test(y[order], groups=[groups[row] for row in order], share=share, seed=seed)
    if test.all() or not test.any():
        parts = len(set(groups))
        raise UsageError(
            f"--split {share:g} leaves no {'train' if test.all() else 'test'} photos: {len(entries):,} of them in "
            f"{parts:,} part{'s' * (parts != 1)} that stay together{f' (--group {group})' if group else ''}.",
            hint="Write another share, or a --group that tells more of them apart.",
        )
    kept = f", groups by {group} kept together" if group else ""
    export.notes.append(f"split by iterative stratification: {share:g} for test, seed {seed}{kept}")
    found = [""] * len(entries)
    for row, is_test in zip(order, test.tolist(), strict=True):
        found[row] = "test" if is_test else "train"
    return found


def own_splits(export: Export, *, val: str) -> list[str]:
    """Return the export's own split of each entry, val photos being where `val` says, "" for what is dropped.

    Raises DataError where an entry has none.
    """
    own = [entry.split for entry in export.entries]
    bare = next((entry for entry in export.entries if not entry.split), None)
    if bare is not None:
        many = "all" if not any(own) else f"{own.count(''):,}"
        raise DataError(
            f"{bare.place}: {bare.file} is in no split; {many} of {len(own):,} photos have none.", hint=HINT
        )
    val = val or ("train" if "test" in own else "test")
    if "val" in own:
        export.notes.append(f"{own.count('val'):,} val photos are {'dropped' if val == 'drop' else f'in {val}'}")
    return [("" if val == "drop" else val) if split == "val" else split for split in own]


def check_splits(export: Export, splits: Sequence[str], y: Marks, labels: Sequence[str]) -> None:
    """Raise DataError where train or test is empty; note the labels that one of them lacks."""
    for split in ("train", "test"):
        chosen = np.array([place == split for place in splits])
        if not chosen.any():
            raise DataError(f"the export has no {split} photos.", hint=HINT)
        without = [label for label, has in zip(labels, (y[chosen] == 1).any(axis=0), strict=True) if not has]
        if without:
            export.notes.append(f"labels without a photo in {split}: {', '.join(without)}")


def _groups(entries: Sequence[Entry], group: str) -> list[str]:
    if not group:
        return [str(row) for row in range(len(entries))]
    if group.startswith(PATTERN):
        return [_in_path(entry, group) for entry in entries]
    for entry in entries:
        if not entry.columns.get(group):
            known = sorted({name for entry in entries for name in entry.columns})
            raise UsageError(
                f"{entry.place}: --group {group}: nothing stands there."
                + (suggest(group, known) if group not in known else ""),
                hint=f"Columns: {', '.join(known) or 'none'}; or a pattern in the path: --group 'path:patient([0-9]+)'",
            )
    return [entry.columns[group] for entry in entries]


def _joined(groups: list[str], twins: Sequence[Sequence[int]]) -> list[str]:
    """Return the group of each entry, groups that share a photo being one."""
    into: dict[str, str] = {}

    def final(name: str) -> str:
        while name in into:
            name = into[name]
        return name

    for first, *others in twins:
        for other in others:
            one, two = final(groups[first]), final(groups[other])
            if one != two:
                into[two] = one
    return [final(name) for name in groups]


def _in_path(entry: Entry, group: str) -> str:
    try:
        pattern = re.compile(group.removeprefix(PATTERN))
    except re.error as error:
        raise UsageError(f"--group {group}: not a regular expression: {error}.") from error
    match = pattern.search(entry.file)
    if match is None:
        raise DataError(f"{entry.place}: --group {group} finds nothing in {entry.file}.")
    return match[1] if pattern.groups else match[0]
