"""CSV with all labels of a photo in one cell: Planet's tags, ChestX-ray14's Finding Labels, and plain lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.importers.csv_columns import file_column, split_column, splits_in_words, tables
from clbench.data.importers.export import PRESENT, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.data.own_table import cells

LISTS = ("finding labels", "tags", "labels", "label", "classes", "categories", "attributes", "ground_truth")
PLANET = ["image_name", "tags"]
NOTHING = "no finding"
OPTIONS = cells.OPTIONS


def fits(source: Source) -> list[str]:
    """Return the tables with a column of photos and one of label lists."""
    return [file for file in tables(source) if _fits(source.header(file))]


def _fits(header: list[str]) -> bool:
    plain = [name.lower() for name in header]
    taken = "annotation_id" in plain or {"imageid", "labelname"} <= set(plain) or _own(plain)
    return file_column(header) is not None and not taken and any(name in plain for name in LISTS)


def _own(header: list[str]) -> bool:
    return {"file", "split", "labels"} <= set(header)


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what lists in cells say; 'No Finding' is no label."""
    export, nothing = Export([], read=list(files)), 0
    for file in files:
        header, rows = source.rows(file)
        photo, splits = file_column(header) or 0, split_column(header)
        plain = [name.lower() for name in header]
        column = plain.index(next(name for name in LISTS if name in plain))
        separator = "blank" if plain == PLANET and options["separator"] == "auto" else options["separator"]
        listed_cells = [cells.Cell(source.place(file, line), row[column]) for line, row in rows]
        found = cells.read_cells(listed_cells, separator=separator, form=options["cells"])
        export.notes += [f"{file}: labels of the column {header[column]!r}", *found.notes]
        words = splits_in_words(source, file, rows, splits)
        folder = PurePosixPath(file).parent
        listed = _listed(source, folder)
        for (line, row), positive in zip(rows, found.positive, strict=True):
            entry = Entry(row[photo], source.place(file, line), bases=(folder.as_posix(),))
            entry.split = (
                words.get(line)
                or listed.get(row[photo], "")
                or split_of(file, str(folder))
                or split_of(*PurePosixPath(row[photo]).parent.parts[::-1])
            )
            entry.columns = {name: row[place] for place, name in enumerate(header) if place != column}
            nothing += sum(word.lower() == NOTHING for word in positive)
            entry.marks = {word: PRESENT for word in positive if word.lower() != NOTHING}
            export.entries.append(entry)
    if nothing:
        export.notes.append(f"{nothing:,} photos say 'No Finding': none of the labels")
    return export


def _listed(source: Source, folder: PurePosixPath) -> dict[str, str]:
    """Return the split of the photos in ChestX-ray14's two lists, where they lie beside the table."""
    found = {}
    for split, name in (("train", "train_val_list.txt"), ("test", "test_list.txt")):
        path = (folder / name).as_posix()
        if path in source.files:
            found.update({line.strip(): split for line in source.text(path).splitlines() if line.strip()})
    return found


FORM = Form("tags", "CSV with all labels of a photo in one cell: Planet, ChestX-ray14", fits, read, OPTIONS)
