"""PASCAL VOC 2007 and 2012: image-level labels from the official lists in ImageSets/Main.

The lists are the official image-level annotation (1 an object, 0 only difficult ones, -1 none) and are all that a table
needs. The XML annotations say the same again; `clbench data check` compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option, resolve_options, revision
from clbench.data.datasets.text import read_text
from clbench.data.pictures.photo_files import absent, refuse_absent
from clbench.data.table import LabelTable
from clbench.data.table_cache import cached
from clbench.errors import DataError

VERSION = 1
_LABELS = """
aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa
train tvmonitor
"""
LABELS = tuple(_LABELS.split())
SPLITS = {"voc2007": {"train": "trainval", "test": "test"}, "voc2012": {"train": "train", "test": "val"}}
POSITIVE, DIFFICULT, ABSENT = 1, 0, -1  # the values of the official lists

OPTIONS = (
    Option(
        "difficult",
        "negative",
        "what a label with only difficult objects is: `negative` as in the published continual results, `ignore` "
        "(unknown) as in the official evaluation, `positive`",
        ("negative", "ignore", "positive"),
    ),
)


def read(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table of "voc2007" (trainval and test) or "voc2012" (train and val) below `root`.

    The test labels of VOC 2012 are not public, so its val is the test split here. An image belongs to a label's pool
    when it shows an object that is not difficult (or any, with difficult=positive). Raises DataError for a missing or
    damaged list, and, with `photos`, when a photo of the table is not there.
    """
    values = resolve_options(name, OPTIONS, options)
    home = find_home(root, name=name)
    folder = home.relative_to(root).as_posix()
    prefix = "" if folder == "." else f"{folder}/"

    def build() -> LabelTable:
        parts = {split: read_lists(home, part=part, name=name) for split, part in SPLITS[name].items()}
        ids = [image for listed, _ in parts.values() for image in listed]
        marks = np.concatenate([marks for _, marks in parts.values()])
        y = np.where(marks == POSITIVE, 1, 0).astype(np.int8)
        y[marks == DIFFICULT] = {"negative": 0, "ignore": -1, "positive": 1}[values["difficult"]]
        table = LabelTable(
            name=name,
            revision=revision(name, OPTIONS, values),
            labels=LABELS,
            ids=np.array(ids, dtype=np.str_),
            paths=np.array([f"{prefix}JPEGImages/{image}.jpg" for image in ids], dtype=np.str_),
            y=y,
            member=y == 1,
            split=np.repeat(list(parts), [len(listed) for listed, _ in parts.values()]),
        )
        if photos:
            paths = table.paths.tolist()
            refuse_absent(name, root=root, paths=paths, missing=absent(root, paths), hint=f"clbench data get {name}")
        return table

    main = home / "ImageSets" / "Main"
    sources = [main / f"{stem}.txt" for part in SPLITS[name].values() for stem in _stems(part)]
    key = {"reader": "voc", "version": str(VERSION), "name": name, "root": str(root.resolve()), "photos": str(photos)}
    return cached({**key, **values}, sources=[*sources, *([home / "JPEGImages"] if photos else [])], build=build)


def find_home(root: Path, *, name: str) -> Path:
    """Return the folder with ImageSets: `root` itself, or VOC2007 below it or below its VOCdevkit.

    Raises DataError where there is none.
    """
    year = f"VOC{name.removeprefix('voc')}"
    places = [root / "VOCdevkit" / year, root / year, root]
    for place in places:
        if (place / "ImageSets" / "Main").is_dir():
            return place
    raise DataError(
        f"{name}: {root} has no ImageSets/Main, nor have VOCdevkit/{year} and {year} in it.",
        hint=f"clbench data get {name}",
    )


def read_lists(home: Path, *, part: str, name: str) -> tuple[list[str], npt.NDArray[np.int8]]:
    """Return the image ids of a part ("trainval", "val", ...) and int8 [images, 20] as the official lists have it.

    Raises DataError where the lists of two labels differ in their images.
    """
    main = home / "ImageSets" / "Main"
    ids = [image for image, _ in _rows(main / f"{part}.txt", columns=1, name=name)]
    marks = np.empty((len(ids), len(LABELS)), dtype=np.int8)
    for column, label in enumerate(LABELS):
        path = main / f"{label}_{part}.txt"
        rows = _rows(path, columns=2, name=name)
        listed = dict(rows)
        if len(listed) != len(rows) or listed.keys() != set(ids):
            odd = sorted(listed.keys() ^ set(ids))[:1] or ["a repeated id"]
            raise DataError(f"{name}: {path} does not list the images of {part}.txt (first difference: {odd[0]}).")
        marks[:, column] = [listed[image] for image in ids]
    return ids, marks


def _rows(path: Path, *, columns: int, name: str) -> list[tuple[str, int]]:
    rows = []
    for number, line in enumerate(read_text(path, name=name).splitlines(), start=1):
        cells = line.split()
        if not cells:
            continue
        # trainval.txt of some copies repeats the mark; one column is asked for and the rest is not looked at
        if len(cells) < columns or (columns == 2 and cells[1] not in ("1", "0", "-1")):
            wanted = "an id" if columns == 1 else "an id and 1, 0 or -1"
            raise DataError(f"{name}: {path}, line {number}: {line.strip()!r}, expected {wanted}.")
        rows.append((cells[0], int(cells[1]) if columns == 2 else 0))
    if not rows:
        raise DataError(f"{name}: {path} is empty.", hint=f"clbench data get {name}")
    return rows


def _stems(part: str) -> list[str]:
    return [part, *(f"{label}_{part}" for label in LABELS)]
