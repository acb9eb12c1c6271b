"""NUS-WIDE's 81 concepts in three data sets that the literature calls by one name.

`nuswide-official` is the official list (161,789 train and 107,859 test images), `nuswide-labelled` the same without the
images that carry none of the 81 labels, `nuswide-asl` the split file published with the asymmetric loss (Ridnik et al.,
ICCV 2021), which holds other images on other sides. They are never mixed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option, resolve_options
from clbench.data.datasets.nuswide_files import (
    CONCEPTS,
    image_list,
    list_files,
    read_labels,
    read_split_file,
    split_file,
)
from clbench.data.pictures.photo_files import folder_names, settle
from clbench.data.table import LabelTable
from clbench.data.table_cache import cached
from clbench.errors import DataError

log = logging.getLogger(__name__)

VERSION = 1
OPTIONS = (
    Option(
        "missing",
        "0",
        "largest share of photos that may be absent (many are gone from the web); what is absent leaves the table, and "
        "the table's revision says how many that were",
        kind="fraction",
        content=False,
    ),
)
BASES = ("Flickr/", "images/", "image/", "")  # folders that people keep the photos in
FORMS = ("folder/name", "name", "number")  # actor/0001_2124494179.jpg, 0001_2124494179.jpg, 2124494179.jpg

Texts = npt.NDArray[np.str_]


def read(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table of "nuswide-official", "nuswide-labelled" or "nuswide-asl" below `root`.

    Ids of the first two are the split and the line of the official list from 0, "train-000123", in list order; of the
    third the file without its ending. Raises DataError for missing or damaged files, and, with `photos`, when more
    photos are absent than the option `missing` allows.
    """
    values = resolve_options(name, OPTIONS, options)
    asl = name == "nuswide-asl"
    sources = [split_file(root)] if asl else list_files(root, name=name)

    def build() -> LabelTable:
        table = _asl(root, name=name) if asl else _official(root, name=name)
        return _with_photos(table, root=root, allowed=float(values["missing"])) if photos else table

    key = {
        "reader": "nuswide",
        "version": str(VERSION),
        "name": name,
        "root": str(root.resolve()),
        "photos": str(photos),
    }
    return cached({**key, **values}, sources=[*sources, *(_photo_folders(root) if photos else [])], build=build)


def _official(root: Path, *, name: str) -> LabelTable:
    ids, paths, splits, parts = [], [], [], []
    for split, part in (("train", "Train"), ("test", "Test")):
        listed = image_list(root, part=part, name=name)
        labels = read_labels(root, part=part, count=len(listed), name=name)
        rows = np.arange(len(listed)) if name == "nuswide-official" else np.flatnonzero((labels == 1).any(axis=1))
        ids += [f"{split}-{row:06d}" for row in rows.tolist()]
        paths += [listed[row] for row in rows.tolist()]
        splits += [split] * len(rows)
        parts.append(labels[rows])
    y = np.concatenate(parts)
    return _table(name, ids=ids, paths=paths, y=y, splits=splits)


def _asl(root: Path, *, name: str) -> LabelTable:
    paths, y, splits = read_split_file(split_file(root), name=name)
    return _table(name, ids=[path.rpartition(".")[0] for path in paths], paths=paths, y=y, splits=splits)


def _table(name: str, *, ids: list[str], paths: list[str], y: npt.NDArray[np.int8], splits: list[str]) -> LabelTable:
    return LabelTable(
        name=name,
        revision=name,
        labels=CONCEPTS,
        ids=np.array(ids, dtype=np.str_),
        paths=np.array(paths, dtype=np.str_),
        y=y,
        member=y == 1,
        split=np.array(splits, dtype=np.str_),
    )


def _with_photos(table: LabelTable, *, root: Path, allowed: float) -> LabelTable:
    """Return the table with the paths as they are on this disk, without the photos that are not."""
    found, gone = locate(root, table.paths.tolist())
    if len(gone) > allowed * len(table):
        shown = ", ".join(str(table.paths[row]) for row in gone[:3])
        raise DataError(
            f"{table.name}: {len(gone):,} of {len(table):,} photos ({len(gone) / len(table):.2%}) are not in {root}: "
            f"{shown}{', ...' if len(gone) > 3 else ''}; the option missing allows {allowed:.2%}.",
            hint="Put them into Flickr/<folder>/<name>.jpg, images/<name>.jpg or images/<number>.jpg, or allow a share "
            "with `missing: 0.01`; the image set then is no longer the official one.",
        )
    keep = np.ones(len(table), dtype=np.bool_)
    keep[gone] = False
    note = f" absent={len(gone)}" if gone else ""
    if gone:
        log.warning("%s: %d of %d photos are absent and left out", table.name, len(gone), len(table))
    return replace(
        table,
        revision=table.revision + note,
        ids=table.ids[keep],
        paths=np.array(found, dtype=np.str_)[keep],
        y=table.y[keep],
        member=table.member[keep],
        split=table.split[keep],
    )


def locate(root: Path, paths: list[str]) -> tuple[list[str], list[int]]:
    """Return each path as the photo lies below `root`, and the positions of the photos that lie nowhere.

    Every usual layout is tried, the one that holds most of a sample first.
    """
    layouts = [(base, form) for form in FORMS for base in BASES]
    sample = paths[:: max(1, len(paths) // 50)]
    hits = {
        layout: sum((root / _place(path, base=layout[0], form=layout[1])).is_file() for path in sample)
        for layout in layouts
    }
    best = sorted(layouts, key=lambda layout: -hits[layout])
    return settle(root, paths, ways=[partial(_place, base=base, form=form) for base, form in best])


def _place(path: str, *, base: str, form: str) -> str:
    if form == "folder/name":
        return base + path
    last = path.rpartition("/")[2]
    return base + (last if form == "name" else last.rpartition("_")[2])


def _photo_folders(root: Path) -> list[Path]:
    """Return the folders whose listing decides which photos are there."""
    bases = [root / base for base in BASES if (root / base).is_dir()]
    inner = [base / name for base in bases for name in folder_names(base)]
    return list(dict.fromkeys([*bases, *inner]))
