"""A label table as a file of the user's has it, before it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.table import LabelTable
from clbench.errors import DataError


@dataclass(frozen=True)
class Draft:
    """Image ids, file names, splits and labels in file order; `y` is int8 [images, labels] in {1, 0, -1}."""

    labels: Sequence[str]
    ids: list[str]
    files: list[str]
    splits: list[str]
    y: npt.NDArray[np.int8]
    member: npt.NDArray[np.bool_]
    notes: Sequence[str] = ()
    rows: Sequence[int] = ()
    """The position of each image among the `total` rows of the file."""
    total: int = 0

    def table(self, *, name: str, revision: str) -> LabelTable:
        """Return the checked table. Raises DataError as LabelTable does."""
        return LabelTable(
            name=name,
            revision=revision,
            labels=tuple(self.labels),
            ids=np.array(self.ids, dtype=np.str_),
            paths=np.array(self.files, dtype=np.str_),
            y=self.y,
            member=self.member,
            split=np.array(self.splits, dtype=np.str_),
            notes=tuple(self.notes),
        )


def plain_path(text: str) -> str:
    """Return a photo's path as tables have it, also where Windows or `find .` wrote it."""
    path = text.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    return path


def place_val(splits: Sequence[str], *, val: str, path: Path, name: str) -> tuple[list[int], list[str]]:
    """Return the rows that stay and their splits, images of the split "val" being where `val` says.

    `val` is "train", "test", "drop", or "refuse", for which such images raise DataError.
    """
    splits = [split.lower() for split in splits]
    if val == "refuse" and "val" in splits:
        raise DataError(
            f"{name}: {path} has {splits.count('val'):,} images in a split 'val'.",
            hint="Say where they belong with the option `val: train`, `val: test` or `val: drop`.",
        )
    kept = [row for row, split in enumerate(splits) if split != "val" or val != "drop"]
    return kept, [val if splits[row] == "val" else splits[row] for row in kept]
