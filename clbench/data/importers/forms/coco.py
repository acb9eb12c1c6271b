"""COCO JSON: one file, or one per split; Roboflow's, Datumaro's labels_*.json and LVIS's verified negatives too."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from clbench.data.datasets.coco import CROWDS
from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import ABSENT, PRESENT, UNKNOWN, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.errors import DataError

Id = int | float | str
PREFIX = re.compile(r"^(instances|labels|stuff|image_info|person_keypoints|captions|panoptic)_")
OPTIONS = (
    Option(
        "crowd",
        "present",
        "what an object marked `iscrowd` means. Tools set it for any object with holes or in two parts: `present`; "
        "`unknown` and `drop` are for real crowds",
        ("present", "unknown", "drop"),
    ),
)


class Photo(Struct):
    """An entry of `images`; the two lists are LVIS's."""

    id: Id
    file_name: str = ""
    coco_url: str = ""
    split: str = ""
    neg_category_ids: list[Id] | None = None
    not_exhaustive_category_ids: list[Id] | None = None


class Mark(Struct):
    """An entry of `annotations`: a box, a mask, or only a label."""

    image_id: Id
    category_id: Id
    iscrowd: int | float | bool | str | None = None


class Category(Struct):
    """An entry of `categories`."""

    id: Id
    name: str


class File(Struct):
    """A COCO file."""

    images: list[Photo]
    categories: list[Category]
    annotations: list[Mark] = []


def fits(source: Source) -> list[str]:
    """Return the JSON files with images, annotations and categories."""
    wanted = {"images", "annotations", "categories"}
    return [file for file in source.ending(".json") if wanted <= source.keys(file)]


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what COCO files say; the split is the image's, else that of the file's name or folder.

    Raises DataError naming the file, and the annotation where one is wrong.
    """
    export, crowds = Export([], read=files), Counter[str]()
    for file in files:
        content = source.json(file, File)
        if not content.categories and not content.annotations:
            continue  # Datumaro's image_info_*.json, and test lists without labels
        place = source.place(file)
        names = {_id(kind.id): kind.name.strip() for kind in sorted(content.categories, key=_order)}
        if len(names) < len(content.categories):
            ids = [_id(kind.id) for kind in content.categories]
            twice = next(one for one in ids if ids.count(one) > 1)
            raise DataError(f"{place}: category id {twice} occurs twice.", hint="Give every category an id of its own.")
        notes: list[str] = []
        labels = named_once(names.values(), what=place, notes=notes)
        if export.labels is not None and set(export.labels) != set(labels):
            odd = sorted(set(export.labels) ^ set(labels))[0]
            raise DataError(
                f"{place}: its categories are not those of {source.place(files[0])}: only one of them has {odd!r}.",
                hint="Export both with the same categories, or import one file.",
            )
        export.notes += [note for note in notes if note not in export.notes]
        export.labels = export.labels or labels
        federated = any(photo.neg_category_ids is not None for photo in content.images)
        export.unsaid = UNKNOWN if federated else export.unsaid
        entries = _photos(content, source=source, file=file)
        for position, mark in enumerate(content.annotations):
            entry, label = entries.get(_id(mark.image_id)), names.get(_id(mark.category_id))
            if entry is None or label is None:
                what = f"image_id {mark.image_id}" if entry is None else f"category_id {mark.category_id}"
                raise DataError(f"{place}: annotations[{position}]: {what} is not listed.", hint="Export it again.")
            crowd = _crowd(mark, f"{place}: annotations[{position}]")
            _mark(entry, label, crowd=crowd, meaning=options["crowd"])
            crowds[label] += crowd
        for photo in content.images:
            _verified(entries[_id(photo.id)], photo, names=names)
        export.entries += entries.values()
    if crowds.total():
        export.notes.append(f"{crowds.total():,} objects are marked iscrowd and count as: {options['crowd']}")
    if export.unsaid == UNKNOWN:
        export.notes.append("neg_category_ids are absent; what is neither annotated nor among them is unknown")
    return export


def _id(number: Id) -> str:
    """Return an id as text; pandas makes 7.0 of 7 where some are absent."""
    return str(int(number)) if isinstance(number, float) and number.is_integer() else str(number)


def _order(kind: Category) -> tuple[bool, int, str]:
    text = _id(kind.id)
    return (not text.isdigit(), int(text) if text.isdigit() else 0, text)


def _photos(content: File, *, source: Source, file: str) -> dict[str, Entry]:
    path = PurePosixPath(file)
    stem = PREFIX.sub("", path.stem)
    home, above = path.parent, path.parent.parent
    bases = tuple(map(str, (home, home / "images", above / stem, above / "images" / stem)))
    default = split_of(stem) or split_of(str(home))
    entries: dict[str, Entry] = {}
    for position, photo in enumerate(content.images):
        place = f"{source.place(file)}: images[{position}]"
        name = photo.file_name or PurePosixPath(photo.coco_url).name
        if not name:
            raise DataError(f"{place}: there is neither a file_name nor a coco_url.", hint="Export it again.")
        if _id(photo.id) in entries:
            raise DataError(f"{place}: image id {photo.id} occurs twice.", hint="Give every image an id of its own.")
        split = split_of(photo.split)
        if photo.split and not split:
            raise DataError(f"{place}: split {photo.split!r}, expected train, val or test.", hint="Mend the field.")
        entries[_id(photo.id)] = Entry(
            name,
            place,
            split=split or default,
            bases=bases,
            columns={"id": _id(photo.id)},
        )
    return entries


def _crowd(mark: Mark, place: str) -> bool:
    said = str(mark.iscrowd).lower()
    if said not in CROWDS:
        raise DataError(f"{place}: iscrowd is {mark.iscrowd}, expected 0 or 1.", hint="Export it again.")
    return CROWDS[said]


def _mark(entry: Entry, label: str, *, crowd: bool, meaning: str) -> None:
    if not crowd or meaning == "present":
        entry.marks[label] = PRESENT
    elif meaning == "unknown":
        entry.marks.setdefault(label, UNKNOWN)


def _verified(entry: Entry, photo: Photo, *, names: Mapping[str, str]) -> None:
    """Note LVIS's lists: labels that were looked for and are not there, and labels that may be there unannotated."""
    for field, value in (("neg_category_ids", ABSENT), ("not_exhaustive_category_ids", UNKNOWN)):
        for number in getattr(photo, field) or []:
            label = names.get(_id(number))
            if label is None:
                raise DataError(f"{entry.place}: {field}: there is no category {number}.", hint="Export it again.")
            if value == ABSENT and entry.marks.get(label) == PRESENT:
                raise DataError(f"{entry.place}: {label!r} is annotated and among the neg_category_ids.")
            entry.marks.setdefault(label, value)


FORM = Form("coco", "COCO JSON: images, annotations, categories", fits, read, OPTIONS)
