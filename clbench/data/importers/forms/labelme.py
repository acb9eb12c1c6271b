"""labelme: one JSON file per photo, labels as flags or as shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath

from msgspec import Struct

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import ABSENT, PRESENT, Entry, Export, Form, split_of
from clbench.data.importers.source import Source
from clbench.errors import DataError

OPTIONS = (
    Option(
        "from",
        "auto",
        "whether the labels are the `flags` of a photo or those of its `shapes`; `auto` is what the files have",
        ("auto", "flags", "shapes"),
    ),
)


class Shape(Struct):
    """A region."""

    label: str


class File(Struct, rename={"path": "imagePath"}):
    """The annotation of one photo; its embedded copy of the picture is skipped."""

    shapes: list[Shape]
    path: str
    flags: dict[str, bool] | None = None


def fits(source: Source) -> list[str]:
    """Return the JSON files with shapes and an imagePath."""
    return [file for file in source.ending(".json") if {"shapes", "imagePath"} <= source.keys(file)]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what labelme files say. A flag that is off is absent; a shape that is not drawn is absent too.

    Raises DataError where flags and shapes could both be the labels.
    """
    contents = {file: source.json(file, File) for file in files}
    kinds = Counter({"flags": 0, "shapes": 0})
    for content in contents.values():
        kinds.update(flags=bool(content.flags), shapes=bool(content.shapes))
    kind = options["from"]
    if kind == "auto":
        if kinds["flags"] and kinds["shapes"]:
            raise DataError(
                f"{source.root}: {kinds['flags']:,} files have flags and {kinds['shapes']:,} have shapes.",
                hint="Say which are the labels: --option from=flags or --option from=shapes",
            )
        kind = "flags" if kinds["flags"] else "shapes"
    export = Export([], read=files, notes=[f"labels are the {kind} of the photos"])
    for file, content in contents.items():
        folder = PurePosixPath(file).parent
        name = PureWindowsPath(content.path).name if "\\" in content.path else PurePosixPath(content.path).name
        near = ((folder / content.path.replace("\\", "/")).parent, folder)
        entry = Entry(name, source.place(file), split=split_of(str(folder)), bases=tuple(map(str, near)))
        if kind == "flags":
            entry.marks = {label.strip(): PRESENT if on else ABSENT for label, on in (content.flags or {}).items()}
        else:
            entry.marks = {shape.label.strip(): PRESENT for shape in content.shapes}
        export.entries.append(entry)
    return export


FORM = Form("labelme", "labelme JSON, one per photo", fits, read, OPTIONS)
