"""MS-COCO 2014 and 2017: image-level labels from the official instances files."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from clbench.data.datasets.dataset import Option, resolve_options, revision
from clbench.data.datasets.text import decode_json
from clbench.data.pictures.photo_files import absent, refuse_absent
from clbench.data.table import LabelTable
from clbench.data.table_cache import cached
from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, read_given

VERSION = 1
Number = Annotated[int, Meta(ge=0, le=2**53)]
Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CROWDS = {"1": True, "1.0": True, "true": True} | dict.fromkeys(("", "0", "0.0", "false", "none", "nan"), False)
"""What tools write for `iscrowd`, as text in small letters."""
CROWD = Option(
    "crowd",
    "membership",
    "what an object marked as a crowd means: `membership` puts the image into the label's pool without making it a "
    "positive (as the KRT code reads it), `drop` ignores it, `keep` takes it for a positive",
    ("membership", "drop", "keep"),
)
OPTIONS = (
    CROWD,
    Option("unlabelled", "drop", "whether images without any annotation are in the table", ("drop", "keep")),
)


class Photo(Struct, gc=False):
    """An entry of `images`."""

    id: Number
    file_name: str
    split: str = ""


class Box(Struct, gc=False):
    """An entry of `annotations`; everything but these three fields is skipped unparsed."""

    image_id: Number
    category_id: Number
    iscrowd: Annotated[int, Meta(ge=0, le=1)] = 0


class Category(Struct, gc=False):
    """An entry of `categories`."""

    id: Number
    name: str


class Instances(Struct, gc=False):
    """An instances file."""

    images: list[Photo]
    annotations: list[Box]
    categories: list[Category]


def read(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table of "coco2014" or "coco2017" below `root`: train as train, val as test.

    Labels are in category-id order, ids are the official numbers in 12 digits. Raises DataError for a missing or
    damaged file, and, with `photos`, when a photo of the table is not there.
    """
    values = resolve_options(name, OPTIONS, options)
    year = name.removeprefix("coco")
    parts = [(split, root / "annotations" / f"instances_{part}{year}.json") for split, part in _SPLITS]
    folders = [_folder(root, f"{part}{year}") for _, part in _SPLITS]

    def build() -> LabelTable:
        table = build_table(
            [
                (split, read_instances(file, name=name), folder)
                for (split, file), folder in zip(parts, folders, strict=True)
            ],
            name=name,
            revision=revision(name, OPTIONS, values),
            crowd=values["crowd"],
            unlabelled=values["unlabelled"],
        )
        if photos:
            paths = table.paths.tolist()
            refuse_absent(name, root=root, paths=paths, missing=absent(root, paths), hint=f"clbench data get {name}")
        return table

    key = {"reader": "coco", "version": str(VERSION), "name": name, "root": str(root.resolve()), "photos": str(photos)}
    sources = [file for _, file in parts] + ([root / folder for folder in folders] if photos else [])
    return cached({**key, **values}, sources=sources, build=build)


_SPLITS = (("train", "train"), ("test", "val"))


def _folder(root: Path, part: str) -> str:
    """Return where the photos of a part lie: beside `annotations`, or in `images`."""
    return f"images/{part}" if not (root / part).is_dir() and (root / "images" / part).is_dir() else part


def read_instances(path: Path, *, name: str, hint: str = "") -> Instances:
    """Return the content of an instances file. Raises DataError naming the file and what is wrong with it.

    Where an entry is not as MS-COCO writes it but can mean one thing only, it is read: `iscrowd` as 0.0, false, null or
    text, ids as text. `hint` says what to do about a file that is no instances file.
    """
    try:
        text = read_given(path, largest=LARGEST_TABLE)
    except FileNotFoundError as error:
        raise DataError(f"{name}: {path} is missing.", hint=f"clbench data get {name}") from error
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    try:
        try:
            return decode_json(text, Instances)
        except msgspec.ValidationError:
            return msgspec.convert(as_official(decode_json(text, dict)), Instances, strict=False)
    except (ValueError, RecursionError) as error:
        what = "is empty" if not text.strip() else f"is not an instances file: {error}"
        hint = hint or "Fetch the file again; it may have been cut short."
        raise DataError(f"{name}: {path} {what}.", hint=hint) from error


def as_official(content: Any) -> Any:
    """Return the decoded instances with `iscrowd` as MS-COCO writes it, and ids that are no numbers numbered in file
    order from 0. What cannot be meant stays as it is.
    """
    if not isinstance(content, dict):
        return content
    content = dict(content)
    numbers = {}
    for part, field in (("images", "image_id"), ("categories", "category_id")):
        ids = [entry.get("id") for entry in _entries(content, part)]
        if all(isinstance(one, str) for one in ids) and not all(_digits(one) for one in ids):
            numbers[field] = {one: index for index, one in enumerate(dict.fromkeys(ids))}
            content[part] = [entry | {"id": numbers[field][entry["id"]]} for entry in _entries(content, part)]
    boxes = []
    for entry in _entries(content, "annotations"):
        box = dict(entry)
        crowd = str(box.get("iscrowd", 0)).lower()
        if crowd in CROWDS:
            box["iscrowd"] = int(CROWDS[crowd])
        for field, places in numbers.items():
            if isinstance(wanted := box.get(field), str):
                box[field] = places.get(wanted, wanted)
        boxes.append(box)
    return content | {"annotations": boxes} if boxes and len(boxes) == len(content["annotations"]) else content


def _entries(content: dict[str, Any], part: str) -> list[dict[str, Any]]:
    listed = content.get(part)
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _digits(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit()


def build_table(
    parts: list[tuple[str, Instances, str]], *, name: str, revision: str, crowd: str, unlabelled: str
) -> LabelTable:
    """Return the table of (split, instances, photo folder) triples that share their categories.

    Raises DataError where they do not.
    """
    categories = sorted_categories(parts[0][1], name=name)
    for split, instances, _ in parts:
        if sorted_categories(instances, name=name) != categories:
            raise DataError(f"{name}: the categories of {split} are not those of {parts[0][0]}.")
    ids, paths, ys, members, splits = [], [], [], [], []
    for split, instances, folder in parts:
        y, member, annotated = matrices(instances, categories, name=f"{name}: {split}", crowd=crowd)
        keep = annotated if unlabelled == "drop" else np.ones(len(y), dtype=np.bool_)
        photos = [photo for photo, kept in zip(instances.images, keep.tolist(), strict=True) if kept]
        ids += [f"{photo.id:012d}" for photo in photos]
        paths += [f"{folder}/{photo.file_name}" for photo in photos]
        ys.append(y[keep])
        members.append(member[keep])
        splits += [split] * len(photos)
    return LabelTable(
        name=name,
        revision=revision,
        labels=tuple(category.name for category in categories),
        ids=np.array(ids, dtype=np.str_),
        paths=np.array(paths, dtype=np.str_),
        y=np.concatenate(ys),
        member=np.concatenate(members),
        split=np.array(splits, dtype=np.str_),
    )


def sorted_categories(instances: Instances, *, name: str) -> list[Category]:
    """Return the categories in id order. Raises DataError when an id occurs twice."""
    categories = sorted(instances.categories, key=lambda category: category.id)
    for one, next_one in pairwise(categories):
        if one.id == next_one.id:
            raise DataError(f"{name}: category id {one.id} occurs twice.")
    return categories


def matrices(
    instances: Instances, categories: list[Category], *, name: str, crowd: str
) -> tuple[npt.NDArray[np.int8], Mask, Mask]:
    """Return y and member [images, categories], and which images have any annotation [images].

    Raises DataError for an image id that occurs twice.
    """
    boxes = instances.annotations
    numbers = np.fromiter((photo.id for photo in instances.images), dtype=np.int64, count=len(instances.images))
    values, counts = np.unique(numbers, return_counts=True)
    if len(values) != len(numbers):
        raise DataError(f"{name}: image id {int(values[counts > 1][0])} occurs twice.")
    image = np.fromiter((box.image_id for box in boxes), dtype=np.int64, count=len(boxes))
    category = np.fromiter((box.category_id for box in boxes), dtype=np.int64, count=len(boxes))
    single = np.fromiter((not box.iscrowd for box in boxes), dtype=np.bool_, count=len(boxes))
    rows = _positions(image, numbers, what=f"{name}: annotation {{}} is of image id {{}}, which is not listed.")
    known = np.array([one.id for one in categories], dtype=np.int64)
    columns = _positions(category, known, what=f"{name}: annotation {{}} has category id {{}}, which is not listed.")
    y = np.zeros((len(numbers), len(categories)), dtype=np.int8)
    positive = single | (crowd == "keep")
    y[rows[positive], columns[positive]] = 1
    member = y == 1
    if crowd == "membership":
        member[rows, columns] = True
    annotated = np.zeros(len(numbers), dtype=np.bool_)
    annotated[rows] = True
    return y, member, annotated


def _positions(wanted: Index, known: Index, *, what: str) -> Index:
    """Return where each of `wanted` stands in `known`. Raises DataError for the first that does not."""
    if not len(wanted):
        return np.zeros(0, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    place = np.searchsorted(known, wanted, sorter=order)
    place[place == len(known)] = 0
    found = order[place] if len(known) else np.zeros(len(wanted), dtype=np.int64)
    wrong = known[found] != wanted if len(known) else np.ones(len(wanted), dtype=np.bool_)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise DataError(what.format(first, int(wanted[first])))
    return found
