"""The label table that an import writes, read back before it is believed."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import resolve_options
from clbench.data.own_table.csv_file import OPTIONS, read_csv
from clbench.errors import DataError

MARK = ";"


@dataclass(frozen=True)
class Table:
    """What goes into the file: one row per photo, `y` [photos, labels] in 1, 0, -1."""

    labels: list[str]
    files: list[str]
    splits: list[str]
    ids: list[str]
    y: npt.NDArray[np.int8]

    def csv_files(self) -> Mapping[str, bytes]:
        """Return labels.csv and labels.classes.json, which names the labels in their order.

        Raises DataError for a label that holds the separator, and when what would be written does
        not read back as what is meant.
        """
        odd = next((label for label in self.labels if MARK in label), None)
        if odd is not None:
            raise DataError(f"the label {odd!r} holds a '{MARK}', which parts labels.", hint="Rename it in the export.")
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["file", "split", "labels", "unknown", "id"])
        for file, split, name, marks in zip(self.files, self.splits, self.ids, self.y, strict=True):
            cells = (
                MARK.join(self.labels[column] for column in np.flatnonzero(marks == value).tolist())
                for value in (1, -1)
            )
            # a mark at the end says what the separator is, also where every photo has one label
            rows.writerow([file, split, *(f"{cell}{MARK}" if cell else "" for cell in cells), name])
        names = json.dumps(list(self.labels), ensure_ascii=False, indent=0)
        files = {"labels.csv": text.getvalue().encode(), "labels.classes.json": names.encode() + b"\n"}
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            values = resolve_options("import", OPTIONS, {}) | {"val": "refuse", "features": ""}
            draft = read_csv(Path(folder) / "labels.csv", name="import", values=values)
        same = list(draft.labels) == list(self.labels) and draft.ids == list(self.ids)
        if not same or draft.files != list(self.files) or not np.array_equal(draft.y, self.y):
            raise DataError(
                "the table would not read back as what the export says.",
                hint="Look for labels or file names with quotes, line breaks or blanks around them.",
            )
        return files
