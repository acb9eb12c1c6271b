"""CSV with all labels of a photo in one cell: Planet's tags, ChestX-ray14's Finding Labels, and plain lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from clbench.data.datasets.dataset import Option
from clbench.data.importers.csv_columns import file_column, split_column, splits_in_words
from clbench.data.importers.export import PRESENT, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.errors import DataError

LISTS = ("finding labels", "tags", "labels", "label", "classes", "categories", "attributes")
SEPARATORS = {"semicolon": ";", "bar": "|", "comma": ",", "blank": " "}
NOTHING = "no finding"
OPTIONS = (
    Option(
        "separator",
        "auto",
        "what parts the labels of a cell; `auto` is a bar or semicolon where one occurs, and a blank in Planet's form "
        "(image_name, tags)",
        ("auto", *SEPARATORS),
    ),
)


def fits(source: Source) -> list[str]:
    """Return the tables with a column of photos and one of label lists."""
    return [file for file in source.ending(".csv", ".tsv") if _fits(source.header(file))]


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
        mark = _separator(source, file, plain, [cells[column] for _, cells in rows], options["separator"])
        words = splits_in_words(source, file, rows, splits)
        folder = PurePosixPath(file).parent
        listed = _listed(source, folder)
        for line, cells in rows:
            entry = Entry(cells[photo], source.place(file, line), bases=(folder.as_posix(),))
            entry.split = (
                words.get(line)
                or listed.get(cells[photo], "")
                or split_of(file, str(folder))
                or split_of(*PurePosixPath(cells[photo]).parent.parts[::-1])
            )
            entry.columns = {name: cells[place] for place, name in enumerate(header) if place != column}
            found = [word.strip() for word in (cells[column].split(mark) if mark else [cells[column]]) if word.strip()]
            _refuse_list(source, file, line, cells[column])
            nothing += sum(word.lower() == NOTHING for word in found)
            entry.marks = {word: PRESENT for word in found if word.lower() != NOTHING}
            export.entries.append(entry)
        shown = next((word for word, meant in SEPARATORS.items() if meant == mark), "none")
        export.notes.append(f"{file}: labels of the column {header[column]!r}, separator: {shown}")
    if nothing:
        export.notes.append(f"{nothing:,} photos say 'No Finding': none of the labels")
    return export


def _separator(source: Source, file: str, header: list[str], cells: list[str], wanted: str) -> str:
    if wanted != "auto":
        return SEPARATORS[wanted]
    found = [mark for mark in (";", "|") if any(mark in cell for cell in cells)]
    if len(found) > 1:
        raise DataError(
            f"{source.place(file)}: cells hold both ';' and '|'.", hint="Say it: --option separator=semicolon or bar"
        )
    if found:
        return found[0]
    if header == ["image_name", "tags"]:
        return " "
    odd = next((cell for cell in cells if "," in cell), None)
    if odd is not None:
        raise DataError(
            f"{source.place(file)}: {odd!r} is one label or several.",
            hint="Say it: --option separator=comma, or =semicolon where a comma belongs to a name",
        )
    return ""


def _refuse_list(source: Source, file: str, line: int, cell: str) -> None:
    if cell[:1] in ("[", "(", "{"):
        raise DataError(
            f"{source.place(file, line)}: {cell[:60]!r} is a list as a program prints it.",
            hint="Write the labels with ';' between them, or import the Parquet or JSON of that tool.",
        )


def _listed(source: Source, folder: PurePosixPath) -> dict[str, str]:
    """Return the split of the photos in ChestX-ray14's two lists, where they lie beside the table."""
    found = {}
    for split, name in (("train", "train_val_list.txt"), ("test", "test_list.txt")):
        path = (folder / name).as_posix()
        if path in source.files:
            found.update({line.strip(): split for line in source.text(path).splitlines() if line.strip()})
    return found


FORM = Form("tags", "CSV with all labels of a photo in one cell: Planet, ChestX-ray14", fits, read, OPTIONS)
