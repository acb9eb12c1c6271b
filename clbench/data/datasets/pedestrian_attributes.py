"""Pedestrian attributes: PA-100K, PETA, RAP v1 and RAP v2 from their official MATLAB annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option, resolve_options, revision
from clbench.data.datasets.matlab import MatFile, find_file
from clbench.data.pictures.photo_files import absent, refuse_absent
from clbench.data.table import LabelTable
from clbench.data.table_cache import cached
from clbench.errors import DataError

VERSION = 1
UNCERTAIN = 2  # RAP's third value: the annotators could not tell

_VAL = Option(
    "val", "train", "where the validation images go: `train` as in the literature, or `drop`", ("train", "drop")
)
_PARTITION = Option("partition", "0", "which of the five official partitions, from 0", ("0", "1", "2", "3", "4"))
_ATTRIBUTES = Option(
    "attributes", "selected", "`selected` for the 35 attributes of the literature, `all` for 105", ("selected", "all")
)
OPTIONS = {
    "pa100k": (_VAL,),
    "peta": (_PARTITION, _VAL, _ATTRIBUTES),
    "rapv1": (_PARTITION,),
    "rapv2": (_PARTITION, _VAL),
}

Matrix = npt.NDArray[np.int8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Annotation:
    """What an annotation file says: file names, attribute names, values 1, 0, -1, and the rows of each part."""

    files: list[str]
    labels: list[str]
    y: Matrix
    parts: dict[str, Rows]


def read(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table of "pa100k", "peta", "rapv1" or "rapv2" below `root`.

    Attributes that the annotators marked as uncertain are unknown (-1). Raises DataError for missing or damaged files,
    and, with `photos`, when a photo of the table is not there.
    """
    values = resolve_options(name, OPTIONS[name], options)
    file = find_file(root, _PLACES[name], name=name)
    folder = _photo_folder(root, _FOLDERS[name])

    def build() -> LabelTable:
        found = _READERS[name](MatFile(file, name=name), values)
        table = _table(found, name=name, folder=folder, values=values)
        if photos:
            paths = table.paths.tolist()
            missing = absent(root, paths)
            refuse_absent(
                name, root=root, paths=paths, missing=missing, hint=f"clbench data get {name} says what to fetch."
            )
        return table

    key = {
        "reader": "attributes",
        "version": str(VERSION),
        "name": name,
        "root": str(root.resolve()),
        "photos": str(photos),
    }
    return cached({**key, **values}, sources=[file, *([root / folder] if photos else [])], build=build)


def _table(found: Annotation, *, name: str, folder: str, values: Mapping[str, str]) -> LabelTable:
    parts = {"train": ["train", "val"] if values.get("val") == "train" else ["train"], "test": ["test"]}
    picked = {
        split: np.concatenate([found.parts[part] for part in group if part in found.parts])
        for split, group in parts.items()
    }
    rows = np.concatenate(list(picked.values()))
    if len(rows) != len(np.unique(rows)):
        raise DataError(f"{name}: an image is listed twice in the partition.")
    y = found.y[rows]
    return LabelTable(
        name=name,
        revision=revision(name, OPTIONS[name], values),
        labels=tuple(found.labels),
        ids=np.array([found.files[row].rpartition(".")[0] for row in rows.tolist()], dtype=np.str_),
        paths=np.array([f"{folder}/{found.files[row]}" for row in rows.tolist()], dtype=np.str_),
        y=y,
        member=y == 1,
        split=np.repeat(list(picked), [len(part) for part in picked.values()]),
    )


def _pa100k(mat: MatFile, _: Mapping[str, str]) -> Annotation:
    files: list[str] = []
    matrices: list[Matrix] = []
    parts: dict[str, Rows] = {}
    for part in ("train", "val", "test"):
        names = mat.texts(f"{part}_images_name")
        parts[part] = np.arange(len(files), len(files) + len(names))
        files += names
        matrices.append(_binary(mat.matrix(f"{part}_label"), rows=len(names), mat=mat))
    return Annotation(files, mat.texts("attributes"), np.concatenate(matrices), parts)


def _peta(mat: MatFile, values: Mapping[str, str]) -> Annotation:
    peta = mat.struct("peta")
    labels = peta.texts("attribute", position=1)
    data = peta.matrix("data", position=0)
    # the first columns number the image and its person; the attributes are the last ones
    marks = _binary(data[:, data.shape[1] - len(labels) :], rows=len(data), mat=peta)
    partition = peta.structs("partition", position=3)[int(values["partition"])]
    parts = {part: partition.rows(part, position=i, count=len(data)) for i, part in enumerate(("train", "val", "test"))}
    kept = len(labels) if values["attributes"] == "all" else 35
    return Annotation([f"{i + 1:05d}.png" for i in range(len(data))], labels[:kept], marks[:, :kept], parts)


def _rapv1(mat: MatFile, values: Mapping[str, str]) -> Annotation:
    rap = mat.struct("RAP_annotation")
    files = rap.texts("imagesname", position=5)
    labels = rap.texts("attribute_exp", position=6)
    marks = rap.matrix("label", position=1)[:, : len(labels)]
    partition = rap.structs("partion", position=0)[int(values["partition"])]
    parts = {part: partition.rows(part, position=i, count=len(files)) for i, part in enumerate(("train", "test"))}
    return Annotation(files, labels, _binary(marks, rows=len(files), mat=rap), parts)


def _rapv2(mat: MatFile, values: Mapping[str, str]) -> Annotation:
    rap = mat.struct("RAP_annotation")
    files = rap.texts("name", position=0)
    names = rap.texts("attribute", position=2)
    chosen = rap.rows("selected_attribute", position=3, count=len(names))
    marks = rap.matrix("data", position=1)[:, chosen]
    partition = rap.structs("partition_attribute", position=4)[int(values["partition"])]
    parts = {
        part: partition.rows(f"{part}_index", position=i, count=len(files))
        for i, part in enumerate(("train", "val", "test"))
    }
    return Annotation(files, [names[i] for i in chosen.tolist()], _binary(marks, rows=len(files), mat=rap), parts)


def _binary(values: npt.NDArray[np.generic], *, rows: int, mat: object) -> Matrix:
    """Return 1, 0, and -1 for what the annotators could not tell."""
    if values.shape[0] != rows:
        raise DataError(f"{mat}: the labels have {values.shape[0]:,} rows for {rows:,} images.")
    wrong = ~np.isin(values, (0, 1, UNCERTAIN))
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise DataError(f"{mat}: label [{row}, {column}] is {values[row, column]!r}, expected 0, 1 or {UNCERTAIN}.")
    marks = values.astype(np.int8)
    marks[marks == UNCERTAIN] = -1
    return marks


def _photo_folder(root: Path, places: tuple[str, ...]) -> str:
    return next((place for place in places if (root / place).is_dir()), places[0])


_READERS: dict[str, Callable[[MatFile, Mapping[str, str]], Annotation]] = {
    "pa100k": _pa100k,
    "peta": _peta,
    "rapv1": _rapv1,
    "rapv2": _rapv2,
}
_RAP = ("RAP_annotation/RAP_annotation.mat", "RAP_annotation.mat")
_PLACES = {
    "pa100k": ("annotation.mat", "annotation/annotation.mat"),
    "peta": ("PETA.mat",),
    "rapv1": _RAP,
    "rapv2": _RAP,
}
_FOLDERS = {
    "pa100k": ("data", "release_data/release_data", "release_data", "images"),
    "peta": ("images",),
    "rapv1": ("RAP_dataset",),
    "rapv2": ("RAP_dataset",),
}
