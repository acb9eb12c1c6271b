"""Hugging Face's imagefolder: photos, and metadata.csv or metadata.jsonl beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from clbench.data.importers.export import PRESENT, Entry, Export, Form, split_of
from clbench.data.importers.forms import columns, tag_lists
from clbench.data.importers.source import Source
from clbench.data.own_table import cells
from clbench.errors import DataError

LISTS = ("labels", "label", "tags", "classes", "categories")


def fits(source: Source) -> list[str]:
    """Return the files called metadata.csv or metadata.jsonl."""
    return [f for f in source.files if PurePosixPath(f).name in ("metadata.csv", "metadata.jsonl")]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what metadata says: words in a list, in one cell, or one column per label.

    Raises DataError for two files of metadata, and for labels that are no words.
    """
    tables = [file for file in files if file.endswith(".csv")]
    if tables and len(tables) < len(files):
        raise DataError(f"{source.root}: metadata.csv and metadata.jsonl.", hint="The library reads one; keep one.")
    if tables:
        listed = tag_lists.fits(source)
        form = tag_lists.FORM if set(tables) <= set(listed) else columns.FORM
        return form.read(source, tables, {option.name: option.default for option in form.options} | dict(options))
    export = Export([], read=files)
    for file in files:
        folder = PurePosixPath(file).parent
        texts = [(source.place(file, line), text) for line, text in enumerate(source.text(file).split("\n"), 1)]
        rows = [(place, _row(text, place)) for place, text in texts if text.strip()]
        said = [_said(row) for _, row in rows]
        lone = [
            cells.Cell(place, found.strip())
            for (place, _), found in zip(rows, said, strict=True)
            if isinstance(found, str)
        ]
        read_lone = cells.read_cells(lone, separator=options["separator"], form=options["cells"])
        export.notes += read_lone.notes
        split_words = iter(read_lone.positive)
        for (place, row), found in zip(rows, said, strict=True):
            words = next(split_words) if isinstance(found, str) else found
            if not isinstance(words, list) or not all(isinstance(word, str) and word.strip() for word in words):
                raise DataError(
                    f"{place}: labels {str(found)[:80]}, expected a list of words in {' or '.join(LISTS)}.",
                    hint="Write the names of the labels, not their numbers.",
                )
            entry = Entry(str(row["file_name"]), place, bases=(folder.as_posix(),))
            entry.split = split_of(*PurePosixPath(str(row["file_name"])).parent.parts) or split_of(str(folder))
            entry.columns = {name: str(value) for name, value in row.items() if isinstance(value, str | int)}
            entry.marks = {word.strip(): PRESENT for word in words}
            export.entries.append(entry)
    return export


def _said(row: Mapping[str, Any]) -> object:
    """Return what a row says of labels, in a field of that name or as the categories of its objects."""
    objects = row.get("objects")
    key = next((key for key in LISTS if key in row), None)
    return row[key] if key else objects.get("categories") if isinstance(objects, dict) else objects


def _row(text: str, place: str) -> dict[str, Any]:
    try:
        row = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DataError(f"{place}: not readable as JSON: {error}.", hint="One object a line.") from error
    if not isinstance(row.get("file_name"), str):
        raise DataError(f"{place}: there is no file_name.", hint="Every line names its photo in file_name.")
    return row


FORM = Form("imagefolder", "Hugging Face imagefolder: metadata.csv or .jsonl", fits, read, tag_lists.OPTIONS)
