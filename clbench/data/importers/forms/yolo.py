"""YOLO: one text file of boxes per photo in labels/ beside images/, label names in data.yaml or classes.txt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import yaml

from clbench.data.importers.export import PRESENT, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.data.pictures.photo_files import PHOTOS
from clbench.errors import DataError

NAME_LISTS = ("classes.txt", "obj.names", "labels.txt")


def fits(source: Source) -> list[str]:
    """Return the text files of boxes, where a list of names lies beside them."""
    if not _names_file(source):
        return []
    photos = {PurePosixPath(file).with_suffix("") for file in source.ending(*PHOTOS)}
    texts = [file for file in source.ending(".txt") if PurePosixPath(file).name not in NAME_LISTS]
    return [file for file in texts if "labels" in PurePosixPath(file).parent.parts or _stem(file) in photos]


def _stem(file: str) -> PurePosixPath:
    return PurePosixPath(file).with_suffix("")


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what YOLO files say. A photo without a text file, or with an empty one, has none of the labels.

    Raises DataError naming the line.
    """
    beside = _names_file(source)
    names = _names(source, beside)
    export = Export([], read=[beside, *files])
    export.labels = named_once(names, what=source.place(beside), notes=export.notes)
    entries: dict[PurePosixPath, Entry] = {}
    for file in source.ending(*PHOTOS):
        path = PurePosixPath(file)
        if twin := entries.get(_stem(file)):
            raise DataError(
                f"{source.place(file)}: {PurePosixPath(twin.file).name} has the same text file.",
                hint="Give the photos names of their own.",
            )
        entries[_stem(file)] = Entry(file, source.place(file), split=split_of(*path.parent.parts[::-1]))
    without = set(entries)
    for file in files:
        place = _stem(file)
        spot = next((spot for spot in (_beside(place), place) if spot in entries), None)
        entry = entries[spot] if spot else Entry(_beside(place).as_posix(), source.place(file))
        entry.split = entry.split or split_of(*PurePosixPath(file).parent.parts[::-1])
        entries.setdefault(spot or place, entry)
        without.discard(spot or place)
        for number, line in enumerate(source.text(file).splitlines(), 1):
            words = line.split()
            if not words:
                continue
            if not (words[0].isascii() and words[0].isdigit()) or int(words[0]) >= len(names) or len(words) < 5:
                raise DataError(
                    f"{source.place(file, number)}: {line[:60]!r}, expected a class below {len(names)} and a box.",
                    hint=f"The names are those of {beside}.",
                )
            entry.marks[names[int(words[0])].strip()] = PRESENT
    if without:
        export.notes.append(f"{len(without):,} photos have no text file and count as having none of the labels")
    export.entries = list(entries.values())
    return export


def _beside(place: PurePosixPath) -> PurePosixPath:
    """Return where the photo of labels/x lies: images/x, the last folder of that name being exchanged."""
    parts = list(place.parts)
    if "labels" in parts:
        parts[len(parts) - 1 - parts[::-1].index("labels")] = "images"
    return PurePosixPath(*parts)


def _names_file(source: Source) -> str:
    for file in source.ending(".yaml", ".yml"):
        if "names" in _yaml(source, file):
            return file
    return next((file for file in source.files if PurePosixPath(file).name in NAME_LISTS), "")


def _yaml(source: Source, file: str) -> dict[str, object]:
    try:
        found = yaml.safe_load(source.text(file))
    except yaml.YAMLError as error:
        raise DataError(f"{source.place(file)}: not readable as YAML: {error}.") from error
    return found if isinstance(found, dict) else {}


def _names(source: Source, file: str) -> list[str]:
    if file.endswith((".yaml", ".yml")):
        names = _yaml(source, file)["names"]
        if isinstance(names, dict) and sorted(names) == list(range(len(names))):
            names = [names[number] for number in range(len(names))]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise DataError(
                f"{source.place(file)}: names: {str(names)[:80]}, expected a list of label names.",
                hint="Put numbers and words such as no and on into quotes.",
            )
        return names
    names = [line.strip() for line in source.text(file).splitlines()]
    while names and not names[-1]:
        names.pop()
    return names


FORM = Form("yolo", "YOLO text files with data.yaml or classes.txt", fits, read)
