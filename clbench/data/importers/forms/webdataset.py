"""WebDataset: tars whose members KEY.jpg and KEY.json, or KEY.cls, are a photo and its labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from clbench.data.datasets.dataset import Option
from clbench.data.fetch.unpack import tar_places
from clbench.data.importers.export import PRESENT, UNKNOWN, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.data.own_table import cells
from clbench.data.shards.shard import ENDINGS, split_name
from clbench.data.shards.shards import shards_at
from clbench.errors import DataError

LABELS = ("json", "cls")
LOOKED_AT = 32
"""Members of the first tar that tell whether it is of this form."""
LARGEST = 1 << 20
"""Bytes that the labels of one photo may take."""
OPTIONS = (
    Option("labels", "labels", "the field of KEY.json that has the labels", kind="text"),
    *cells.OPTIONS,
)
_Place = tuple[str, int, int]


def fits(source: Source) -> list[str]:
    """Return the tars, unless the first holds neither photos nor labels; one that is cut is told of when it is read."""
    tars = source.ending(".tar")
    if not tars:
        return []
    try:
        endings = {split_name(name)[1] for name, _, _ in tar_places(source.root / tars[0], most=LOOKED_AT)}
    except DataError:
        return tars
    return tars if endings & {*ENDINGS, *LABELS} else []


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what the tars say; photos stay in them. Positions are read with the names in a classes.json beside them.

    Raises DataError for a photo without labels, labels without a photo, and what `shards_at` refuses.
    """
    names = _names(source)
    export = Export([], labels=names, read=files, shards=shards_at([source.root / file for file in files]))
    texts: list[tuple[Entry, str, str]] = []
    for file in files:
        path = source.root / file
        for key, members in _by_key(path).items():
            photo = next((members[ending] for ending in ENDINGS if ending in members), None)
            told = [members[ending] for ending in LABELS if ending in members]
            if photo is None or not told:
                if photo is None and not told:
                    continue
                there, gone = ("a photo", "no labels") if told == [] else ("labels", "no photo")
                raise DataError(
                    f"{path}: the key {key!r} has {there} and {gone}.",
                    hint=f"Members of a key are {key}.jpg and {key}.json or {key}.cls.",
                )
            entry = Entry(photo[0], f"{path}: {photo[0]}", split=split_of(file) or split_of(str(Path(file).parent)))
            with path.open("rb") as opened:
                _say(entry, [(place[0], _bytes(opened, path, place)) for place in told], options, names, texts)
            export.entries.append(entry)
    for column in ("labels", "unknown"):
        of = [(entry, text) for entry, kind, text in texts if kind == column]
        found = cells.read_cells(
            [cells.Cell(entry.place, text) for entry, text in of],
            names=names or (),
            separator=options["separator"],
            form=options["cells"],
        )
        export.notes += found.notes
        for (entry, _), words, unsure in zip(of, found.positive, found.unknown, strict=True):
            entry.marks |= dict.fromkeys(words, PRESENT if column == "labels" else UNKNOWN)
            entry.marks |= dict.fromkeys(unsure, UNKNOWN)
    return export


def _by_key(path: Path) -> dict[str, dict[str, _Place]]:
    found: dict[str, dict[str, _Place]] = {}
    for name, first, size in tar_places(path):
        key, ending = split_name(name)
        if ending in (*ENDINGS, *LABELS):
            found.setdefault(key, {})[ending] = (name, first, size)
    return found


def _bytes(opened: Any, path: Path, place: _Place) -> bytes:
    name, first, size = place
    if size > LARGEST:
        raise DataError(f"{path}: {name} has {size:,} bytes; labels of a photo take at most {LARGEST:,}.")
    opened.seek(first)
    data: bytes = opened.read(size)
    return data


def _say(
    entry: Entry,
    told: Sequence[tuple[str, bytes]],
    options: Mapping[str, str],
    names: list[str] | None,
    texts: list[tuple[Entry, str, str]],
) -> None:
    """Give an entry the labels of its members: lists at once, texts to be read with those of all other entries."""
    content: dict[str, Any] = {}
    for name, data in told:
        if split_name(name)[1] == "cls":
            content.setdefault(options["labels"], data.decode(errors="replace").strip())
            continue
        try:
            content |= msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(f"{entry.place}: {name}: {error}.", hint='Expected {"labels": [...]}.') from error
    if options["labels"] not in content:
        raise DataError(
            f"{entry.place}: {told[0][0]} has no field '{options['labels']}' (found: {', '.join(content) or 'none'}).",
            hint="Name the field of the labels: --option labels=FIELD, or options: {labels: FIELD}.",
        )
    entry.split = entry.split or split_of(str(content.get("split", "")))
    for column, field in (("labels", options["labels"]), ("unknown", "unknown")):
        value = content.get(field, [])
        if isinstance(value, str):
            texts.append((entry, column, value))
            continue
        words = value if isinstance(value, list) else [value]
        for word in words:
            entry.marks[_label(word, names, entry=entry, field=field)] = PRESENT if column == "labels" else UNKNOWN


def _label(word: object, names: list[str] | None, *, entry: Entry, field: str) -> str:
    if isinstance(word, str) and word.strip():
        return word.strip()
    if isinstance(word, int) and not isinstance(word, bool) and 0 <= word < (len(names) if names else 1 << 31):
        return names[word] if names else str(word)
    raise DataError(
        f"{entry.place}: {field}: {str(word)[:60]!r} is no label.",
        hint="A label is a name, or its position in a classes.json beside the shards.",
    )


def _names(source: Source) -> list[str] | None:
    path = source.root / "classes.json"
    if not path.is_file():
        return None
    try:
        names = json.loads(source.text("classes.json"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not readable as JSON: {error}.") from error
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f'{path}: expected a list of label names, ["sky", "water", ...].')
    return named_once(names, what=str(path), notes=[])


FORM = Form("webdataset", "WebDataset: tars of KEY.jpg and KEY.json or KEY.cls", fits, read, OPTIONS)
