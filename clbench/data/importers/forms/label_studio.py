"""Label Studio: JSON, JSON-MIN and CSV of image tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import PRESENT, UNKNOWN, Entry, Export, Form
from clbench.data.importers.source import Source
from clbench.errors import DataError

OPTIONS = (
    Option("control", "", "the control whose labels are read, where the task has several (its `name`)", kind="text"),
)
FACTS = {"id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time", "agreement"}
PICTURES = ("image", "img", "photo", "picture", "url", "image_url")


class Result(Struct):
    """One choice or region."""

    type: str
    value: dict[str, Any] = {}
    """A relation between regions has none."""
    from_name: str = ""


class Annotation(Struct):
    """What one annotator said."""

    result: list[Result]
    was_cancelled: bool = False


class Task(Struct):
    """One photo."""

    data: dict[str, Any]
    annotations: list[Annotation]
    id: int | str = ""


Said = list[tuple[str, set[str]]]
"""Per control what was chosen."""


def fits(source: Source) -> list[str]:
    """Return JSON lists of tasks, and flat JSON or CSV with an annotation_id."""
    tasks = [
        file
        for file in source.ending(".json")
        if {"[]", "data", "annotations"} <= source.keys(file) or {"[]", "annotation_id"} <= source.keys(file)
    ]
    return tasks + [file for file in source.ending(".csv") if "annotation_id" in source.header(file)]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what annotators said; a label that one of them chose and another did not is unknown.

    Raises DataError where it is not clear which control holds the labels.
    """
    export, left = Export([], read=files), 0
    for file in files:
        if file.lower().endswith(".csv"):
            photos = _csv(source, file)
        elif "data" in source.keys(file):
            photos = _tasks(source, file)
        else:
            photos = _flat(source, file)
        controls = sorted({name for _, _, votes in photos for said in votes for name, _ in said})
        control = options["control"] or (controls[0] if controls else "")
        if control not in controls and controls:
            raise DataError(f"{source.place(file)}: no control is called {control!r}.", hint=f"Found: {controls}")
        if len(controls) > 1 and not options["control"]:
            raise DataError(
                f"{source.place(file)}: labels of several controls: {', '.join(controls)}.",
                hint=f"Say which one is meant: --option control={controls[0]}",
            )
        for place, name, votes in photos:
            left += not votes
            if votes:
                chosen = [{word for key, words in said if key == control for word in words} for said in votes]
                export.entries.append(_entry(name, place, chosen))
    if left:
        export.notes.append(f"{left:,} tasks that nobody finished are left out")
    several = sum(bool(entry.columns) for entry in export.entries)
    if several:
        export.notes.append(f"{several:,} photos have several annotators: a label on which they differ is unknown")
    return export


def _entry(name: str, place: str, chosen: list[set[str]]) -> Entry:
    entry = Entry(_file(name), place, columns={"annotators": str(len(chosen))} if len(chosen) > 1 else {})
    for word in sorted(set().union(*chosen)):
        entry.marks[word] = PRESENT if all(word in words for words in chosen) else UNKNOWN
    return entry


def _file(text: str) -> str:
    """Return the file that a task's address names: of local storage its path, of an upload its name."""
    address = urlsplit(text)
    local = parse_qs(address.query).get("d")
    if local:
        return local[0].lstrip("/")
    path = unquote(address.path if address.scheme else text)
    return PurePosixPath(path).name if "upload/" in path else path.lstrip("/")


def _tasks(source: Source, file: str) -> list[tuple[str, str, list[Said]]]:
    found = []
    for position, task in enumerate(source.json(file, list[Task])):
        place = f"{source.place(file)}: [{position}], task {task.id}"
        votes: list[Said] = [
            [
                (result.from_name, _words(result.value.get(result.type), place))
                for result in annotation.result
                if result.type != "relation"
            ]
            for annotation in task.annotations
            if not annotation.was_cancelled
        ]
        found.append((place, _picture(task.data, place), votes))
    return found


def _flat(source: Source, file: str) -> list[tuple[str, str, list[Said]]]:
    """Return the photos of JSON-MIN, where each annotation is an entry of its own."""
    found: dict[str, tuple[str, str, list[Said]]] = {}
    for position, row in enumerate(source.json(file, list[dict[str, Any]])):
        place = f"{source.place(file)}: [{position}]"
        name = _picture(row, place)
        said = [
            (key, _words(value, place))
            for key, value in row.items()
            if key not in FACTS and value != name and _is_choice(value)
        ]
        found.setdefault(name, (place, name, []))[2].append(said)
    return list(found.values())


def _csv(source: Source, file: str) -> list[tuple[str, str, list[Said]]]:
    header, rows = source.rows(file)
    found: dict[str, tuple[str, str, list[Said]]] = {}
    for line, cells in rows:
        place = source.place(file, line)
        row = dict(zip(header, cells, strict=True))
        name = _picture(row, place)
        said = []
        for key, cell in row.items():
            if key in FACTS or cell == name or not cell:
                continue
            try:
                value = json.loads(cell) if cell[0] in "{[" else cell
            except ValueError as error:
                raise DataError(f"{place}: {key} is {cell[:60]!r}, which is no JSON: {error}.") from error
            said.append((key, _words(value, place)))
        found.setdefault(name, (place, name, []))[2].append(said)
    return list(found.values())


def _is_choice(value: object) -> bool:
    return isinstance(value, str | dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _words(value: object, place: str) -> set[str]:
    """Return the labels of a choice: a word, {"choices": [...]}, or regions with their labels."""
    if isinstance(value, str):
        return {value.strip()}
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        value = value["choices"]
    if isinstance(value, list) and value and all(isinstance(region, dict) for region in value):
        named = [words for region in value for key, words in region.items() if key.endswith("labels")]
        value = [word for words in named for word in (words if isinstance(words, list) else [None])]
    if isinstance(value, list) and all(isinstance(word, str) and word.strip() for word in value):
        return {word.strip() for word in value}
    raise DataError(
        f"{place}: {str(value)[:80]!r} is no choice of labels.",
        hint="Choices, rectangles, polygons, brushes and other labels are read; taxonomies and texts are not.",
    )


def _picture(data: Mapping[str, Any], place: str) -> str:
    named = [data[key] for key in PICTURES if isinstance(data.get(key), str)]
    texts = named or [value for value in data.values() if isinstance(value, str) and "/" in value]
    if not texts:
        raise DataError(f"{place}: nothing names its picture.", hint=f"Expected {', '.join(PICTURES)} in the data.")
    return str(texts[0])


FORM = Form("label-studio", "Label Studio JSON, JSON-MIN or CSV", fits, read, OPTIONS)
