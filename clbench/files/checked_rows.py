"""Rows of one shape in a file that is mapped, each with a checksum that is looked at when the row is first read."""

from __future__ import annotations

import contextlib
import glob
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.files.whole_file import in_place_of

Rows = npt.NDArray[np.int64]
_SUM = np.dtype("<u4")


class CheckedRows:
    """The rows [count, *shape] of the file `path`; the CRC-32 of each stands in `sums_file(path)`.

    Mapped when it is first read, so that it can be sent to another process, which looks at the checksums itself.
    """

    def __init__(self, path: Path, *, count: int, shape: tuple[int, ...], kind: type[np.generic]) -> None:
        self.path = path
        self.count = count
        self.shape = shape
        self.kind = kind
        self._map: npt.NDArray[Any] | None = None

    def read(self, rows: Rows) -> npt.NDArray[Any]:
        """Return a copy of `rows`, [n, *shape]. Raises DataError, and removes the file, where one is not as written."""
        if self._map is None:
            self._sums = self._read_sums()
            self._right = np.zeros(self.count, dtype=np.bool_)
            self._map = np.memmap(self.path, dtype=self.kind, mode="r", shape=(self.count, *self.shape))
        for row in rows[~self._right[rows]].tolist():
            if zlib.crc32(self._map[row]) != self._sums[row]:
                raise self._damaged(f"row {row} is not as it was written")
            self._right[row] = True
        found: npt.NDArray[Any] = self._map[rows]
        return found

    def is_there(self) -> bool:
        """Return whether the file has its length and checksums; what the rows hold is looked at when they are read."""
        length = self.count * int(np.prod(self.shape)) * np.dtype(self.kind).itemsize
        try:
            return self.path.stat().st_size == length and len(self._read_sums()) == self.count
        except (OSError, DataError):
            return False

    def _read_sums(self) -> npt.NDArray[np.uint32]:
        sums = np.fromfile(sums_file(self.path), dtype=_SUM)
        if len(sums) != self.count + 1 or zlib.crc32(sums[:-1].tobytes()) != sums[-1]:
            raise self._damaged("its checksums are not those that were written")
        return sums[:-1]

    def _damaged(self, what: str) -> DataError:
        for path in (self.path, sums_file(self.path)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        return DataError(
            f"{self.path}: {what}; the disk or whoever wrote there changed it.",
            hint="It was removed and is made again: run the same command again.",
        )

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_map": None, "_sums": None, "_right": None}


class RowWriter:
    """Takes the rows of a file in their order."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sums: list[int] = []

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Write some more rows, [n, *shape]."""
        rows = np.ascontiguousarray(rows)
        self._file.write(rows.tobytes())
        self.sums += [zlib.crc32(row) for row in rows]


@contextlib.contextmanager
def writing_rows(path: Path) -> Iterator[RowWriter]:
    """Give what takes all rows of the file `path`, which appears, after its checksums, when the body ends."""
    with in_place_of(path) as file:
        writer = RowWriter(file)
        yield writer
        sums = np.array(writer.sums, dtype=_SUM)
        with in_place_of(sums_file(path)) as beside:
            beside.write(sums.tobytes() + np.array([zlib.crc32(sums.tobytes())], dtype=_SUM).tobytes())


def sums_file(path: Path) -> Path:
    """Return where the checksums of the rows in `path` stand."""
    return path.with_name(f"{path.name}.crc")


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes wrote of `path`, whose lock the caller holds: they may take as much as it."""
    for partial in path.parent.glob(f"{glob.escape(path.stem)}.*.part"):
        partial.unlink(missing_ok=True)
