"""Mulan's and MEKA's ARFF: tables of features with several labels a row."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np

from clbench.data.importers.export import ABSENT, PRESENT, Export, Form
from clbench.data.importers.feature_rows import number, row_entry, with_features
from clbench.data.importers.source import Source
from clbench.data.xml_tree import outermost, read_xml
from clbench.errors import DataError

MEKA = re.compile(r"-C\s+(-?\d+)")
ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s+(.+)""", re.IGNORECASE)


def fits(source: Source) -> list[str]:
    """Return the ARFF files."""
    return source.ending(".arff")


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return the rows of ARFF files, dense or sparse. Labels are those of the XML beside, else of MEKA's -C.

    Raises DataError naming the file or the row.
    """
    export, blocks = Export([], read=list(files)), []
    for file in files:
        names, kinds, rows, relation = _arff(source, file)
        chosen = _labels(source, file, names, relation)
        labels = [names[column] for column in chosen]
        others = [column for column in range(len(names)) if column not in set(chosen)]
        if export.labels is not None and export.labels != labels:
            raise DataError(f"{source.place(file)}: its labels are not those of {source.place(files[0])}.")
        export.labels = labels
        for column in others:
            if kinds[column].lower() not in ("numeric", "real", "integer") and not _is_binary(kinds[column]):
                raise DataError(
                    f"{source.place(file)}: attribute {names[column]!r} is {kinds[column]}, expected numeric.",
                    hint="Turn words into numbers first.",
                )
        block = np.zeros((len(rows), len(others)), dtype=np.float32)
        for row, (line, cells) in enumerate(rows):
            place = source.place(file, line)
            entry = row_entry(file, row, place)
            for column, label in zip(chosen, labels, strict=True):
                value = cells.get(column, "0")
                if value not in ("0", "1", "0.0", "1.0"):
                    raise DataError(f"{place}: label {label!r} is {value!r}, expected 0 or 1.")
                entry.marks[label] = PRESENT if value[0] == "1" else ABSENT
            block[row] = [number(cells.get(column, "0"), place) for column in others]
            export.entries.append(entry)
        blocks.append(block)
    return with_features(export, blocks)


def _is_binary(kind: str) -> bool:
    return re.sub(r"[\s'\"]", "", kind) in ("{0,1}", "{1,0}")


Rows = list[tuple[int, dict[int, str]]]


def _arff(source: Source, file: str) -> tuple[list[str], list[str], Rows, str]:
    names: list[str] = []
    kinds: list[str] = []
    rows: Rows = []
    relation, start = "", 0
    for line, text in enumerate(source.text(file).splitlines(), 1):
        text, place = text.strip(), source.place(file, line)
        if not text or text.startswith("%"):
            continue
        if start:
            rows.append((line, _cells(text, len(names), place)))
        elif text.lower().startswith("@relation"):
            relation = text
        elif text.lower().startswith("@data"):
            start = line
        else:
            match = ATTRIBUTE.fullmatch(text)
            if match is None:
                raise DataError(f"{place}: {text[:60]!r}, expected @attribute NAME KIND.")
            names.append(re.sub(r"\\(.)", r"\1", match[1].strip("'\"")))
            kinds.append(match[2].strip())
    if not start or not rows:
        raise DataError(f"{source.place(file)}: no rows after @data.", hint="Fetch it again; it may be cut short.")
    return names, kinds, rows, relation


def _cells(text: str, count: int, place: str) -> dict[int, str]:
    if text.startswith("{"):
        found: dict[int, str] = {}
        for pair in filter(None, (part.strip() for part in text.strip("{} ").split(","))):
            index, _, value = pair.partition(" ")
            if not index.isdigit() or int(index) >= count or not value:
                raise DataError(f"{place}: {pair!r}, expected a column from 0 to {count - 1} and a value.")
            found[int(index)] = value.strip().strip("'\"")
        return found
    cells = [cell.strip().strip("'\"") for cell in next(csv.reader([text], skipinitialspace=True))]
    if len(cells) != count:
        raise DataError(f"{place}: {len(cells)} values for {count} attributes.")
    return dict(enumerate(cells))


def _labels(source: Source, file: str, names: list[str], relation: str) -> list[int]:
    """Return the columns of the labels."""
    stem = re.sub(r"[-_](train|test)$", "", PurePosixPath(file).stem)
    for other in source.ending(".xml") if source.path.is_dir() else _beside(source, stem):
        if PurePosixPath(other).stem == stem and outermost(source.root / other) == "labels":
            wanted = [node.get("name", "") for node in read_xml(source.root / other, root="labels").iter()]
            wanted = [name for name in wanted if name]
            missing = [name for name in wanted if name not in names]
            if missing or not wanted:
                raise DataError(
                    f"{source.place(other)}: no attribute is called {str(missing[:1])[1:-1] or 'anything'}."
                )
            return [names.index(name) for name in wanted]
    match = MEKA.search(relation)
    count = int(match[1]) if match else 0
    if not count or abs(count) >= len(names):
        raise DataError(
            f"{source.place(file)}: neither {stem}.xml nor -C in @relation says which attributes are the labels.",
            hint="Put Mulan's XML beside it, or write @relation 'name: -C 6' (the first 6; -6: the last).",
        )
    return list(range(count)) if count > 0 else list(range(len(names) + count, len(names)))


def _beside(source: Source, stem: str) -> list[str]:
    return [f"{stem}.xml"] if (source.root / f"{stem}.xml").is_file() else []


FORM = Form("arff", "Mulan or MEKA ARFF: a table of features", fits, read)
