"""The files of an export: listed once, read once, with errors that name them."""

from __future__ import annotations

import csv
import io
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from clbench.data.datasets.text import BOM, decode_json, read_text
from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, read_given

T = TypeVar("T")
Rows = list[tuple[int, list[str]]]
INDEX = ("", "Unnamed: 0")
"""What pandas calls a column of row numbers."""


class Source:
    """A file or a folder that somebody exported. `root` is the folder, `files` the paths below it that count."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder.", hint="Name the export: a file or a folder.")
        self.path = path
        self.root = path if path.is_dir() else path.parent
        self.broken: dict[str, str] = {}
        """What is wrong with the JSON files that could not be read."""
        self._keys: dict[str, frozenset[str]] = {}
        self._cells: dict[str, tuple[list[str], Rows]] = {}

    @cached_property
    def files(self) -> list[str]:
        """Every file below the root, sorted, without hidden ones; only the file itself where one was named."""
        if not self.path.is_dir():
            return [self.path.name]
        found = []
        for place, folders, names in os.walk(self.path):
            folders[:] = sorted(folder for folder in folders if not folder.startswith((".", "__MACOSX")))
            base = Path(place).relative_to(self.path).as_posix()
            prefix = "" if base == "." else f"{base}/"
            found += [prefix + name for name in sorted(names) if not name.startswith(".")]
        return sorted(found)

    def ending(self, *endings: str) -> list[str]:
        """Return the files whose names end in one of `endings`, in whatever case."""
        return [file for file in self.files if file.lower().endswith(endings)]

    def text(self, file: str) -> str:
        """Return a file's text. Raises DataError for a file that is not UTF-8."""
        return read_text(self.root / file, name="import")

    def place(self, file: str, line: int | None = None) -> str:
        """Return how messages name a file, or a line of it."""
        return f"{self.root / file}" + ("" if line is None else f", line {line}")

    def json(self, file: str, kind: type[T]) -> T:
        """Return a JSON file as `kind`. Raises DataError naming the field that is of another type."""
        try:
            return decode_json(read_given(self.root / file, largest=LARGEST_TABLE), kind)
        except msgspec.ValidationError as error:
            raise DataError(f"{self.place(file)}: {error}.", hint="Mend the field, or export it again.") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.place(file)}: {error}.", hint="Export it again; it may be cut short.") from error
        except OSError as error:
            raise DataError(f"{self.place(file)} cannot be read ({error.strerror}).") from error

    def keys(self, file: str) -> frozenset[str]:
        """Return the top-level keys of a JSON file; of a list, "[]" and the keys of its first entry; else nothing."""
        if file not in self._keys:
            try:
                self._keys[file] = _keys(self.root / file)
            except (OSError, ValueError, RecursionError) as error:
                self._keys[file] = frozenset()
                self.broken[file] = str(error)
        return self._keys[file]

    def rows(self, file: str) -> tuple[list[str], Rows]:
        """Return the header and (line, cells) of a CSV whose cells are parted by commas, semicolons or tabs.

        Raises DataError for a line with another number of cells, and for a header that names a column twice.
        """
        header, rows = self._read(file)
        if len(set(header)) != len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise DataError(f"{self.place(file, 1)}: the column {twice!r} occurs twice.", hint="Rename one of them.")
        for line, cells in rows:
            if len(cells) != len(header):
                raise DataError(
                    f"{self.place(file, line)}: {len(cells)} cells, the header has {len(header)}.",
                    hint="Put cells that hold the separator into quotes.",
                )
        return header, rows

    def header(self, file: str) -> list[str]:
        """Return the column names of a CSV; none where it cannot be read."""
        try:
            return self._read(file)[0]
        except DataError:
            return []

    def _read(self, file: str) -> tuple[list[str], Rows]:
        if file not in self._cells:
            self._cells[file] = _cells(self.root / file)
        return self._cells[file]


def _keys(path: Path) -> frozenset[str]:
    data = read_given(path, largest=LARGEST_TABLE).removeprefix(BOM)
    try:
        top: Any = msgspec.json.decode(data, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        first = msgspec.json.decode(top[0]) if top and isinstance(top, list) else {}
    except msgspec.ValidationError:
        return frozenset()
    except msgspec.DecodeError:
        top = json.loads(data)
        first = top[0] if top and isinstance(top, list) else {}
    if isinstance(top, dict):
        return frozenset(top)
    return frozenset(["[]", *(first if isinstance(first, dict) else ())])


def _cells(path: Path) -> tuple[list[str], Rows]:
    text = read_text(path, name="import")
    if text.startswith("sep="):  # Excel's
        text = text.partition("\n")[2]
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not readable as CSV: {error}.") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise DataError(f"{path} is empty.", hint="Export it again.")
    (_, header), *rows = rows
    if header[0] in INDEX and [cells[0] for _, cells in rows] == [str(row) for row in range(len(rows))]:
        return header[1:], [(line, cells[1:]) for line, cells in rows]
    return header, rows
