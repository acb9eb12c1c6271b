"""Label tables written as CSV.

The header names `file`, `split` and `labels`, and optionally `id` and `unknown`. A vocabulary may lie beside the table
as classes.json (or NAME.classes.json for NAME.csv), a list of label names that also fixes their order; without one, the
labels are the names that occur, in alphabetical order. What a cell says is decided in `cells`. A row that repeats
another in these columns, word for word, counts once; with `rows=label` every row adds its labels to those of its image.
"""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from clbench.data.datasets.dataset import Option
from clbench.data.datasets.text import read_text
from clbench.data.own_table import cells
from clbench.data.own_table.unchecked import Draft, place_val, plain_path
from clbench.errors import DataError, suggest

REQUIRED = ("file", "split", "labels")
COLUMNS = (*REQUIRED, "id", "unknown")
OPTIONS = (
    *cells.OPTIONS,
    Option(
        "rows",
        "image",
        "what a row is: an `image`, or one `label` of an image that has several rows",
        ("image", "label"),
    ),
)
Row = tuple[int, dict[str, str]]


def read_csv(path: Path, *, name: str, values: Mapping[str, str]) -> Draft:
    """Return the draft in a CSV file. Raises DataError naming the file, the line and what was expected."""
    every = _rows(path, name=name, required=REQUIRED[1:] if values.get("features") else REQUIRED)
    rows, notes = _once(every, path=path, name=name)
    kept, splits = place_val([row["split"] for _, row in rows], val=values["val"], path=path, name=name)
    rows = [rows[index] for index in kept]
    names = _classes(path, name=name)
    read = cells.read_cells(
        [
            cells.Cell(f"{name}: {path}, line {line}", row.get(column, ""))
            for column in ("labels", "unknown")
            for line, row in rows
        ],
        names=names,
        separator=values["separator"],
        form=values["cells"],
    )
    count = len(rows)
    unknowns = [[*a, *b] for a, b in zip(read.unknown[:count], read.positive[count:], strict=True)]
    labels = names or sorted({word for listed in read.positive for word in listed})
    if not labels:
        raise DataError(f"{name}: {path}: no image carries a label.")
    column = {label: index for index, label in enumerate(labels)}
    y = np.zeros((count, len(labels)), dtype=np.int8)
    images = _images(rows, per_label=values["rows"] == "label", path=path, name=name)
    for group in images:
        first = group[0]
        for index in group:
            y[first, [column[word] for word in unknowns[index]]] = -1
        for index in group:
            positive = [column[word] for word in read.positive[index]]
            if (y[first, positive] == -1).any():
                both = labels[next(place for place in positive if y[first, place] == -1)]
                raise DataError(
                    f"{name}: {path}, line {rows[index][0]}: {both!r} is among the labels and among the unknown."
                )
        y[first, [column[word] for index in group for word in read.positive[index]]] = 1
    firsts = [group[0] for group in images]
    if len(firsts) < count:
        notes.append(f"{count:,} rows are the labels of {len(firsts):,} images (rows=label)")
    y = y[firsts]
    return Draft(
        labels=labels,
        ids=[_id(rows[first][1]) for first in firsts],
        files=[rows[first][1]["file"] for first in firsts],
        splits=[splits[first] for first in firsts],
        y=y,
        member=y == 1,
        notes=(*notes, *read.notes),
        rows=_positions(every, [rows[first][0] for first in firsts]),
        total=len(every),
    )


def vocabulary_file(path: Path) -> list[Path]:
    """Return the vocabulary that lies beside a table, as a list of one path, or of none."""
    places = (path.with_name(f"{path.stem}.classes.json"), path.with_name("classes.json"))
    return [place for place in places if place.is_file()][:1] if path.suffix.lower() in (".csv", ".tsv") else []


def _positions(every: Sequence[Row], lines: Sequence[int]) -> list[int]:
    """Return the positions among all rows of those in `lines`."""
    place = {line: position for position, (line, _) in enumerate(every)}
    return [place[line] for line in lines]


def _rows(path: Path, *, name: str, required: Sequence[str]) -> list[Row]:
    """Return (line, cells by column) of every row after the header; without a column `file` the `id` names the row."""
    text = read_text(path, name=name)
    if not text.strip():
        raise DataError(f"{name}: {path} is empty.", hint="A table starts with the line: file,split,labels")
    mark, skipped = _delimiter(text, required=required)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=mark)
    rows: list[Row] = []
    header: list[str] = []
    try:
        for found in reader:
            line = [cell.strip() for cell in found]
            if not any(line) or reader.line_num <= skipped:
                continue
            if not header:
                header = _header([cell.lower() for cell in line], path=path, name=name, required=required)
                continue
            if len(line) < len(header) or any(line[len(header) :]):
                raise DataError(
                    f"{name}: {path}, line {reader.line_num}: {len(line)} cells, the header has {len(header)}.",
                    hint='Put labels that hold a comma into quotes, and separate labels by ";" or "|".',
                )
            named = dict(zip(header, line, strict=False))
            if "file" not in named:
                named["file"] = named.get("id", "")
            row = _row(named, reader.line_num, path, name)
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{name}: {path}, line {reader.line_num}: not readable as CSV: {error}.") from error
    if not rows:
        raise DataError(f"{name}: {path} has a header and no rows.")
    return rows


def _delimiter(text: str, *, required: Sequence[str]) -> tuple[str, int]:
    """Return what separates the columns, by the header, and how many lines stand before it (Excel's `sep=;`)."""
    lines = text.lstrip("\r\n").splitlines()
    skipped = 1 if lines[0].lower().startswith("sep=") and len(lines) > 1 else 0
    header = lines[skipped].lower()
    wide = [mark for mark in (",", ";", "\t") if {word.strip(' "') for word in header.split(mark)}.issuperset(required)]
    return (wide or [","])[0], skipped


def _once(rows: list[Row], *, path: Path, name: str) -> tuple[list[Row], list[str]]:
    """Return the rows without exact repeats, which say nothing new, and a note of how many there were."""
    unique = list({tuple(map(row.get, COLUMNS)): (line, row) for line, row in reversed(rows)}.values())[::-1]
    more = len(rows) - len(unique)
    told = f"{more} rows" if more > 1 else "a row"
    return unique, [f"{path} repeats {told} word for word; each counts once"] if more else []


def _images(rows: Sequence[Row], *, per_label: bool, path: Path, name: str) -> list[list[int]]:
    """Return the rows of each image. Raises DataError where an image has several and that was not said, or they differ
    in more than their labels.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, (_, row) in enumerate(rows):
        groups[_id(row)].append(index)
    for image, group in groups.items():
        lines = " and ".join(str(rows[index][0]) for index in group[:2])
        facts = {(rows[index][1]["file"], rows[index][1]["split"]) for index in group}
        if len(group) > 1 and (not per_label or len(facts) > 1):
            raise DataError(
                f"{name}: {path}, lines {lines}: id {image!r} occurs twice"
                + (", with another file or split." if len(facts) > 1 else ", with other labels."),
                hint="" if len(facts) > 1 else "If each row is one label of its image, say so: --option rows=label",
            )
    return list(groups.values())


def _id(row: Mapping[str, str]) -> str:
    return row.get("id") or row["file"]


def _header(header: list[str], *, path: Path, name: str, required: Sequence[str]) -> list[str]:
    while header and not header[-1]:
        header.pop()
    for column in required:
        if column not in header:
            row = any(cell.endswith((".jpg", ".jpeg", ".png")) for cell in header)
            raise DataError(
                f"{name}: {path}: there is no column '{column}'.{suggest(column, header)}"
                + (" The first line is a row, not a header." if row else ""),
                hint=f"The first line must name {', '.join(required)}, with commas; it is: {','.join(header)[:200]}",
            )
    if len(set(header)) != len(header):
        raise DataError(f"{name}: {path}: a column name occurs twice in the first line.")
    return header


def _row(row: dict[str, str], line: int, path: Path, name: str) -> dict[str, str]:
    if not row["file"]:
        raise DataError(f"{name}: {path}, line {line}: no file.")
    split = row["split"].lower()
    if split not in ("train", "test", "val"):
        raise DataError(
            f"{name}: {path}, line {line}: split {row['split']!r}, expected train or test.",
            hint="Write train or test; val too, with the option val=train, val=test or val=drop.",
        )
    return row | {"split": split, "file": plain_path(row["file"])}


def _classes(path: Path, *, name: str) -> list[str]:
    """Return the label names of the vocabulary beside the table, none where there is none."""
    beside = vocabulary_file(path)
    if not beside:
        return []
    try:
        labels = json.loads(read_text(beside[0], name=name))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: {beside[0]} is not readable as JSON: {error}.") from error
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        raise DataError(f'{name}: {beside[0]}: expected a list of label names, ["sky", "water", ...].')
    return labels
