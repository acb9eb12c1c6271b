"""Datumaro's own JSON: items with annotations, labels by position."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from clbench.data.importers.export import PRESENT, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.errors import DataError


class Mark(Struct):
    """An annotation of whatever type; captions have no label."""

    type: str
    label_id: int | None = None


class Image(Struct):
    """Where the photo lies below images/SUBSET."""

    path: str = ""


class Item(Struct):
    """One photo."""

    id: str
    annotations: list[Mark]
    image: Image | None = None


class Label(Struct):
    """A label."""

    name: str


class Labels(Struct):
    """The label category."""

    labels: list[Label]


class Categories(Struct):
    """What the annotations refer to."""

    label: Labels


class File(Struct):
    """annotations/SUBSET.json."""

    categories: Categories
    items: list[Item]


def fits(source: Source) -> list[str]:
    """Return the JSON files with categories and items."""
    return [file for file in source.ending(".json") if {"categories", "items"} <= source.keys(file)]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what Datumaro files say; the subset is the file's name.

    Raises DataError for files with other labels, and naming the item that is wrong.
    """
    export = Export([], read=files)
    for file in files:
        content, place, path = source.json(file, File), source.place(file), PurePosixPath(file)
        names = [label.name.strip() for label in content.categories.label.labels]
        if export.labels is not None and set(export.labels) != set(names):
            odd = sorted(set(export.labels) ^ set(names))[0]
            raise DataError(f"{place}: its labels are not those of {source.place(files[0])}: {odd!r}.")
        if export.labels is not None and export.labels != names:
            export.notes.append(f"{file}: its labels stand in another order; they are read by name")
        export.labels = export.labels or named_once(names, what=place, notes=export.notes)
        for position, item in enumerate(content.items):
            where = f"{place}: items[{position}]"
            name = item.image.path if item.image and item.image.path else item.id
            near = (path.parent.parent / "images" / path.stem, path.parent.parent / "images", path.parent)
            entry = Entry(name, where, split=split_of(path.stem), bases=tuple(base.as_posix() for base in near))
            for mark in item.annotations:
                if mark.label_id is not None:
                    if not 0 <= mark.label_id < len(names):
                        raise DataError(f"{where}: label_id {mark.label_id}; there are {len(names)} labels.")
                    entry.marks[names[mark.label_id]] = PRESENT
            export.entries.append(entry)
    return export


FORM = Form("datumaro", "Datumaro JSON: categories, items", fits, read)
