"""Label tables of the user's as NPZ, or as JSON in MS-COCO's form."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.coco import CROWD, matrices, read_instances, sorted_categories
from clbench.data.own_table.unchecked import Draft, place_val, plain_path
from clbench.data.table import label_matrix
from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, open_given

REQUIRED = ("paths", "labels", "y", "split")
KNOWN = (*REQUIRED, "ids", "member")
LARGEST = 4 << 30
"""Bytes that the arrays of an NPZ file may take in memory; packed, a megabyte can say any number."""
JSON_OPTIONS = (CROWD,)
_JSON_HINT = (
    "Expected MS-COCO's form: images with id, file_name and split, annotations with image_id, category_id and perhaps "
    "iscrowd (0 or 1), categories with id and name."
)


def read_npz(path: Path, *, name: str, values: Mapping[str, str]) -> Draft:
    """Return the draft in an NPZ file with `paths`, `labels`, `y`, `split` and optionally `ids` and `member`.

    Raises DataError naming the array that is missing or does not fit.
    """
    arrays, others = _arrays(path, name=name)
    if values.get("features") and "paths" not in arrays and "y" in arrays:
        rows = np.array([f"{row:08d}" for row in range(len(arrays["y"]))])
        arrays["paths"] = arrays.get("ids", rows)
    for field in REQUIRED:
        if field not in arrays:
            raise DataError(
                f"{name}: {path} has no array '{field}' (found: {', '.join([*arrays, *others]) or 'none'}).",
                hint=f"It needs {', '.join(REQUIRED)}; ids and member are optional.",
            )
    texts = {field: arrays[field] for field in ("paths", "labels", "split", "ids") if field in arrays}
    for field, array in texts.items():
        if array.dtype.kind != "U" or array.ndim != 1:
            raise DataError(
                f"{name}: {path}: {field} must be a list of texts, found {array.dtype} {list(array.shape)}."
            )
    count = len(texts["paths"])
    for field, array in arrays.items():
        if field in ("ids", "split", "y", "member") and len(array) != count:
            raise DataError(f"{name}: {path}: {field} has {len(array):,} rows, paths has {count:,}.")
    kept, splits = place_val(texts["split"].tolist(), val=values["val"], path=path, name=name)
    y = label_matrix(arrays["y"], name=f"{name}: {path}")
    member = arrays.get("member", y == 1)
    if member.dtype != np.bool_:
        raise DataError(f"{name}: {path}: member must be boolean, found {member.dtype}.")
    files = [plain_path(path) for path in texts["paths"][kept].tolist()]
    ids = texts["ids"][kept].tolist() if "ids" in texts else files
    return Draft(texts["labels"].tolist(), ids, files, splits, y[kept], member[kept], rows=kept, total=count)


def read_json(path: Path, *, name: str, values: Mapping[str, str]) -> Draft:
    """Return the draft in a COCO-style JSON file whose images name their `split`.

    Raises DataError naming the image without a split.
    """
    instances = read_instances(path, name=name, hint=_JSON_HINT)
    for position, photo in enumerate(instances.images):
        if photo.split.lower() not in ("train", "test", "val"):
            raise DataError(
                f"{name}: {path}: images[{position}], id {photo.id}: split {photo.split!r}, expected train or test.",
                hint='Give every image a "split", or let an import split them: clbench data import FILE --split 0.2',
            )
    kept, splits = place_val([photo.split for photo in instances.images], val=values["val"], path=path, name=name)
    categories = sorted_categories(instances, name=name)
    y, member, _ = matrices(instances, categories, name=f"{name}: {path}", crowd=values["crowd"])
    photos = [instances.images[row] for row in kept]
    crowds = (member[kept] & (y[kept] != 1)).sum(axis=0)
    notes = []
    if crowds.any():
        listed = [f"{one.name}: {count:,}" for one, count in zip(categories, crowds.tolist(), strict=True) if count]
        notes.append(
            f"{crowds.sum():,} times all objects of a label in an image are marked as crowds (iscrowd 1), which makes "
            f"it no positive ({', '.join(listed[:20])}); objects with holes or in parts need the option crowd=keep"
        )
    return Draft(
        [category.name for category in categories],
        [f"{photo.id:012d}" for photo in photos],
        [plain_path(photo.file_name) for photo in photos],
        splits,
        y[kept],
        member[kept],
        notes,
        rows=kept,
        total=len(instances.images),
    )


def _arrays(path: Path, *, name: str) -> tuple[dict[str, npt.NDArray[np.generic]], list[str]]:
    """Return the arrays that a table is made of, and the names of others, of which nothing is read."""
    try:
        with open_given(path, largest=LARGEST_TABLE) as opened, np.load(opened, allow_pickle=False) as file:
            if (total := sum(part.file_size for part in file.zip.infolist() if part.filename[:-4] in KNOWN)) > LARGEST:
                raise ValueError(f"its arrays would take {total:,} bytes")
            known = {field: np.asarray(file[field]) for field in file.files if field in KNOWN}
            return known, [field for field in file.files if field not in KNOWN]
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        RuntimeError,
        MemoryError,
        AttributeError,
    ) as error:
        raise DataError(
            f"{name}: {path} is not an NPZ file of plain arrays: {error}.",
            hint="Write it with numpy.savez; lists of texts as arrays of str, not of objects.",
        ) from error
