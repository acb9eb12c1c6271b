"""Label tables written as CSV.

The labels of a cell are separated by `;` if the column holds one anywhere, else by `|` if it holds one anywhere, else
by blanks. A vocabulary may lie beside the table as classes.json (or NAME.classes.json for NAME.csv), a list of label
names that also fixes their order; cells then hold names, or positions in that list from 0 if every entry is a number.
Without one, the labels are the names that occur, in alphabetical order. A row that repeats another word for word counts
once.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clbench.data.datasets.text import read_text
from clbench.data.own_table.unchecked import Draft, place_val
from clbench.errors import DataError, suggest

log = logging.getLogger(__name__)

REQUIRED = ("file", "split", "labels")
Row = tuple[int, dict[str, str]]


def read_csv(path: Path, *, name: str, val: str) -> Draft:
    """Return the draft in a CSV file. Raises DataError naming the file, the line and what was expected."""
    rows = _rows(path, name=name)
    kept, splits = place_val([row["split"].lower() for _, row in rows], val=val, path=path, name=name)
    rows = [rows[index] for index in kept]
    separator = _separator([row["labels"] for _, row in rows] + [row.get("unknown", "") for _, row in rows])
    positives = [_split(row["labels"], separator) for _, row in rows]
    unknowns = [_split(row.get("unknown", ""), separator) for _, row in rows]
    labels, column = _vocabulary(path, [*positives, *unknowns], name=name)
    y = np.zeros((len(rows), len(labels)), dtype=np.int8)
    for index, ((line, _), positive, unknown) in enumerate(zip(rows, positives, unknowns, strict=True)):
        for word in [*positive, *unknown]:
            if word not in column:
                raise DataError(
                    f"{name}: {path}, line {line}: unknown label {word!r}.{suggest(word, labels)}",
                    hint=f"The vocabulary is {vocabulary_file(path)[0].name}, with {len(labels)} labels.",
                )
        both = set(positive) & set(unknown)
        if both:
            raise DataError(
                f"{name}: {path}, line {line}: {sorted(both)[0]!r} is among the labels and among the unknown."
            )
        y[index, [column[word] for word in unknown]] = -1
        y[index, [column[word] for word in positive]] = 1
    files = [row["file"] for _, row in rows]
    ids = [row.get("id") or row["file"] for _, row in rows]
    return Draft(labels, ids, files, splits, y, y == 1)


def vocabulary_file(path: Path) -> list[Path]:
    """Return the vocabulary that lies beside a table, as a list of one path, or of none."""
    places = (path.with_name(f"{path.stem}.classes.json"), path.with_name("classes.json"))
    return [place for place in places if place.is_file()][:1] if path.suffix.lower() == ".csv" else []


def _rows(path: Path, *, name: str) -> list[Row]:
    """Return (line, cells by column) of every row after the header."""
    text = read_text(path, name=name)
    if not text.strip():
        raise DataError(f"{name}: {path} is empty.", hint="A table starts with the line: file,split,labels")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    header: list[str] = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if not header:
                header = _header([cell.lower() for cell in cells], path=path, name=name)
            elif len(cells) != len(header):
                raise DataError(
                    f"{name}: {path}, line {reader.line_num}: {len(cells)} cells, the header has {len(header)}.",
                    hint='Put labels that hold a comma into quotes, and separate labels by blanks, ";" or "|".',
                )
            else:
                rows.append((reader.line_num, _row(dict(zip(header, cells, strict=True)), reader.line_num, path, name)))
    except csv.Error as error:
        raise DataError(f"{name}: {path}, line {reader.line_num}: not readable as CSV: {error}.") from error
    if not rows:
        raise DataError(f"{name}: {path} has a header and no rows.")
    return _once(rows, path=path, name=name)


def _once(rows: list[Row], *, path: Path, name: str) -> list[Row]:
    """Return the rows without exact repeats, which say nothing new; a repeat that differs is left for the table."""
    unique = list({tuple(row.items()): (line, row) for line, row in reversed(rows)}.values())[::-1]
    if len(unique) < len(rows):
        log.warning("%s: %s repeats %d rows word for word; each counts once", name, path, len(rows) - len(unique))
    return unique


def _header(header: list[str], *, path: Path, name: str) -> list[str]:
    for column in REQUIRED:
        if column not in header:
            raise DataError(
                f"{name}: {path}: there is no column '{column}'.{suggest(column, header)}",
                hint=f"The first line must name {', '.join(REQUIRED)}, with commas; it is: {','.join(header)[:200]}",
            )
    if len(set(header)) != len(header):
        raise DataError(f"{name}: {path}: a column name occurs twice in the first line.")
    return header


def _row(row: dict[str, str], line: int, path: Path, name: str) -> dict[str, str]:
    if not row["file"]:
        raise DataError(f"{name}: {path}, line {line}: no file.")
    if row["split"].lower() not in ("train", "test", "val"):
        raise DataError(f"{name}: {path}, line {line}: split {row['split']!r}, expected train or test.")
    return row


def _separator(cells: Sequence[str]) -> str:
    return next((mark for mark in (";", "|") if any(mark in cell for cell in cells)), "")


def _split(cell: str, separator: str) -> list[str]:
    words = [word.strip() for word in cell.split(separator)] if separator else cell.split()
    return [word for word in words if word]


def _vocabulary(path: Path, cells: Sequence[list[str]], *, name: str) -> tuple[list[str], dict[str, int]]:
    """Return the label names, and the column of every word that a cell may hold."""
    words = {word for cell in cells for word in cell}
    beside = vocabulary_file(path)
    if not beside:
        if not words:
            raise DataError(f"{name}: {path}: no image carries a label.")
        labels = sorted(words)
        return labels, {label: index for index, label in enumerate(labels)}
    labels = _classes(beside[0], name=name)
    column = {label: index for index, label in enumerate(labels)}
    if words <= column.keys() or not all(word.isascii() and word.isdigit() for word in words):
        return labels, column
    # also "007": positions are numbers, whatever their zeros
    positions = {word: int(word) for word in words if int(word) < len(labels)}
    return labels, positions


def _classes(path: Path, *, name: str) -> list[str]:
    try:
        labels = json.loads(read_text(path, name=name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: {path} is not readable as JSON: {error}.") from error
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f'{name}: {path}: expected a list of label names, ["sky", "water", ...].')
    return labels
