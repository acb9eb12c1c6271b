"""Annotation files in MATLAB's format, read field by field with errors that name the field."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, look_at


class Fields:
    """Named values of a MATLAB file or struct. A field is taken by name, else by its official position."""

    def __init__(self, values: dict[str, Any], *, place: str) -> None:
        self.values = values
        self.place = place

    def __str__(self) -> str:
        return self.place

    def texts(self, field: str, *, position: int = -1) -> list[str]:
        """Return a cell array of texts; of several columns the first. Raises DataError where it is something else."""
        cells = np.atleast_1d(np.asarray(self._field(field, position)))
        cells = cells[:, 0] if cells.ndim == 2 else cells
        texts = [_text(cell) for cell in cells.tolist()]
        if cells.ndim != 1 or not texts or not all(texts):
            raise DataError(f"{self.place}: {field} is not a list of texts.")
        return texts

    def matrix(self, field: str, *, position: int = -1) -> npt.NDArray[np.generic]:
        """Return a matrix of numbers.

        Its shape is the file's, [rows, columns]. Raises DataError where it is something else.
        """
        values = np.atleast_2d(np.asarray(self._field(field, position)))  # a matrix of one row was squeezed
        if values.ndim != 2 or values.dtype.kind not in "biuf":
            raise DataError(f"{self.place}: {field} is not a matrix of numbers ({values.dtype} {list(values.shape)}).")
        return values

    def rows(self, field: str, *, position: int = -1, count: int) -> npt.NDArray[np.int64]:
        """Return MATLAB's indices 1..count as 0..count-1.

        Shape [n]. Raises DataError for what is no whole number, or no row of 1..count.
        """
        values = np.atleast_1d(np.asarray(self._field(field, position))).ravel()
        if values.dtype.kind not in "iuf" or not len(values) or (values != np.trunc(values)).any():
            raise DataError(f"{self.place}: {field} is not a list of whole numbers.")
        if values.min() < 1 or values.max() > count:
            raise DataError(f"{self.place}: {field} names row {values.max():g}, but there are {count:,} (from 1).")
        return values.astype(np.int64) - 1

    def struct(self, field: str, *, position: int = -1) -> Fields:
        """Return a struct."""
        return self._fields(self._field(field, position), place=f"{self.place}: {field}")

    def structs(self, field: str, *, position: int = -1) -> list[Fields]:
        """Return a cell array of structs. Raises DataError for another number than 5."""
        cells = np.atleast_1d(np.asarray(self._field(field, position), dtype=object)).ravel()
        found = [self._fields(cell, place=f"{self.place}: {field}{{{i}}}") for i, cell in enumerate(cells, start=1)]
        if len(found) != 5:
            raise DataError(f"{self.place}: {field} has {len(found)} partitions, expected 5.")
        return found

    def _field(self, field: str, position: int) -> Any:
        if field in self.values:
            return self.values[field]
        names = list(self.values)
        if 0 <= position < len(names):
            return self.values[names[position]]
        raise DataError(f"{self.place}: there is no field {field} (found: {', '.join(names) or 'none'}).")

    def _fields(self, value: Any, *, place: str) -> Fields:
        while isinstance(value, np.ndarray) and value.size == 1:  # cells of cells of one struct
            value = value.ravel()[0]
        if not hasattr(value, "_fieldnames"):
            raise DataError(f"{place} is not a struct.")
        return Fields({field: getattr(value, field) for field in value._fieldnames}, place=place)


class MatFile(Fields):
    """The variables of a MATLAB v5 file. Raises DataError naming the file when it is none.

    The file is read by a process of its own: scipy trusts what a damaged file says of itself, and that can end Python.
    """

    def __init__(self, path: Path, *, name: str) -> None:
        try:
            look_at(path, largest=LARGEST_TABLE)
        except OSError as unread:
            raise DataError(f"{name}: {path} cannot be read ({unread.strerror}).") from unread
        done = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, check=False)
        if done.returncode:
            raise DataError(
                f"{name}: {path} is damaged: reading it ends Python with status {done.returncode}.",
                hint="Fetch the file again.",
            )
        values, error, text = pickle.loads(done.stdout)  # noqa: S301 - what the process below wrote
        if error == "NotImplementedError":
            raise DataError(
                f"{name}: {path} is a MATLAB 7.3 file; the official one is version 5.",
                hint="In MATLAB: load it and save it with '-v7'.",
            )
        if error:
            raise DataError(f"{name}: {path} is not a MATLAB file: {text}.", hint="Fetch the file again.")
        super().__init__(values, place=f"{name}: {path}")


_READ = """
import pickle, sys
from scipy.io import loadmat
try:
    values = loadmat(sys.argv[1], squeeze_me=True, struct_as_record=False)
    found = {key: value for key, value in values.items() if not key.startswith("__")}, "", ""
except Exception as error:  # scipy raises whatever its parser stumbles over
    found = {}, type(error).__name__, str(error)
pickle.dump(found, sys.stdout.buffer)
"""


def find_file(root: Path, places: Sequence[str], *, name: str) -> Path:
    """Return the first of `places` that is a file below `root`. Raises DataError when none is."""
    for place in places:
        if (root / place).is_file():
            return root / place
    raise DataError(
        f"{name}: {root} has no {' or '.join(places)}.",
        hint=f"clbench data get {name} says what to fetch and where to put it.",
    )


def _text(cell: Any) -> str:
    while isinstance(cell, (list, np.ndarray)) and len(cell) == 1:
        cell = cell[0]
    return cell.strip() if isinstance(cell, str) else ""
