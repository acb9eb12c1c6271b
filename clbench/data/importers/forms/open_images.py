"""Open Images' image-level labels: verified present, verified absent, and all the rest unknown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import ABSENT, PRESENT, UNKNOWN, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.errors import DataError

OPTIONS = (
    Option(
        "threshold",
        "",
        "take a machine's confidence from this value on for present, and what is below for unknown (empty: refuse it)",
        kind="text",
    ),
)
COLUMNS = {"ImageID", "LabelName", "Confidence"}


def fits(source: Source) -> list[str]:
    """Return the tables of image-level labels; tables of boxes have the same columns and more."""
    return [f for f in source.ending(".csv") if set(source.header(f)) >= COLUMNS and "XMin" not in source.header(f)]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what image-level tables say: confidence 1 is present, 0 absent, and what is not listed unknown."""
    names = _names(source)
    least = _threshold(options["threshold"])
    export, entries, machine = Export([], unsaid=UNKNOWN, read=files), dict[tuple[str, str], Entry](), 0
    for file in files:
        header, rows = source.rows(file)
        image, label, confidence = (header.index(name) for name in ("ImageID", "LabelName", "Confidence"))
        split = split_of(file) or split_of(str(PurePosixPath(file).parent))
        for line, cells in rows:
            place = source.place(file, line)
            word = names.get(cells[label], cells[label])
            entry = entries.setdefault((split, cells[image]), Entry(cells[image], place, split=split, bases=(split,)))
            value, sure = _value(cells[confidence], least, place)
            machine += not sure
            if entry.marks.setdefault(word, value) != value:
                values = {entry.marks[word], value}
                entry.marks[word] = max(values) if UNKNOWN in values else UNKNOWN
    export.entries = list(entries.values())
    export.notes.append("labels that are not listed for a photo are unknown: only listed ones were verified")
    if machine:
        export.notes.append(f"{machine:,} confidences between 0 and 1: present from {least}, else unknown")
    if not names:
        export.notes.append("there is no class-descriptions*.csv: labels keep their codes")
    return export


def _threshold(text: str) -> float | None:
    try:
        value = float(text) if text else None
    except ValueError:
        value = 2.0
    if value is not None and not 0 < value <= 1:
        raise DataError(f"option threshold is {text!r}, expected a number above 0, up to 1.")
    return value


def _value(cell: str, least: float | None, place: str) -> tuple[int, bool]:
    try:
        number = float(cell)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise DataError(f"{place}: Confidence is {cell!r}, expected 0 to 1.", hint="Fetch the file again.")
    if number in (0, 1):
        return (PRESENT if number else ABSENT), True
    if least is None:
        raise DataError(
            f"{place}: Confidence is {cell}, a machine's guess; verified labels are 0 or 1.",
            hint="Use the human-verified file, or say from where on: --option threshold=0.8",
        )
    return (PRESENT if number >= least else UNKNOWN), False


def _names(source: Source) -> dict[str, str]:
    """Return the name of each code in class-descriptions*.csv, whose lines are CODE,NAME with or without a header."""
    for file in source.ending(".csv"):
        if "class-descriptions" in PurePosixPath(file).name:
            lines = list(csv.reader(io.StringIO(source.text(file), newline="")))
            return {cells[0].strip(): cells[1].strip() for cells in lines if len(cells) > 1}
    return {}


FORM = Form("open-images", "Open Images image-level labels: ImageID, LabelName, Confidence", fits, read, OPTIONS)
