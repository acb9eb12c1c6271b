"""A user's own label table: a CSV, NPZ or COCO-style JSON file with its photos beside it.

CSV or TSV: a header with `file`, `split` (train or test) and `labels`, and optionally `id` and `unknown` (labels nobody
looked for). NPZ: `paths`, `labels`, `y` (1, 0, -1), `split`, and optionally `ids` and `member`. JSON: as MS-COCO's
instances files, each image with a `split`. A folder stands for its labels.csv, labels.npz or labels.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option, resolve_options
from clbench.data.features.feature_file import BUFFER, LANES, check_rows, find_features
from clbench.data.own_table.csv_file import OPTIONS as CSV_OPTIONS
from clbench.data.own_table.csv_file import read_csv, vocabulary_file
from clbench.data.own_table.npz_and_json import JSON_OPTIONS, read_json, read_npz
from clbench.data.own_table.same_photos import DUPLICATES, merged, merged_in
from clbench.data.own_table.unchecked import Draft
from clbench.data.pictures.photo_files import below, refuse_absent, settle
from clbench.data.shards.shards import SHARDS, UNNAMED, Shards, find_shards, refuse_absent_from, refuse_unnamed
from clbench.data.table import LabelTable, labels_without_positives, named_labels
from clbench.data.table_cache import cached
from clbench.errors import DataError, UsageError

VERSION = 3
Mask = npt.NDArray[np.bool_]
PLAIN_NAMES = ("labels", "table", "data", "index")  # such a file is named after its folder

OPTIONS = (
    Option("labels", "", "only these labels, separated by ';' (empty: all)", kind="text"),
    Option("min_train_positives", "0", "only labels with at least so many positive train images", kind="count"),
    Option("min_test_positives", "0", "only labels with at least so many positive test images", kind="count"),
    Option(
        "empty_labels",
        "refuse",
        "what to do with a label that no image carries: `refuse` the table, `keep` or `drop` the label",
        ("refuse", "keep", "drop"),
    ),
    Option("unlabelled", "keep", "whether images without any of the labels stay in the table", ("keep", "drop")),
    Option("val", "refuse", "where images with the split `val` go", ("refuse", "train", "test", "drop")),
    Option("images", "", "folder of the photos, relative to the table (empty: beside it, or in `images`)", kind="text"),
    Option(
        "features",
        "",
        "file of features in place of photos, relative to the table, its rows those of the table: `.npy`, "
        "`.safetensors` or `.parquet`; `FILE#NAME` where it holds several",
        kind="text",
    ),
    SHARDS,
    BUFFER,
    LANES,
    UNNAMED,
    Option("missing", "0", "largest share of photos that may be absent; they leave the table", kind="fraction"),
    DUPLICATES,
)
ENDINGS = {
    ".csv": (read_csv, CSV_OPTIONS),
    ".npz": (read_npz, ()),
    ".json": (read_json, JSON_OPTIONS),
    ".tsv": (read_csv, CSV_OPTIONS),
}
"""For each ending the reader, and the options that it has beside those of every table."""
OTHER_FORMS = {
    ".parquet": "Parquet", ".jsonl": "JSON lines", ".xlsx": "Excel", ".xls": "Excel", ".ods": "a spreadsheet",
    ".xml": "XML", ".arff": "ARFF", ".txt": "plain text", ".yaml": "YAML", ".pkl": "a pickle", ".arrow": "Arrow",
    ".feather": "Arrow", ".h5": "HDF5", ".mat": "MATLAB", ".db": "a data base", ".tfrecord": "TFRecord",
    ".zip": "an archive",
}  # fmt: skip
"""Files that people have their labels in and that are no label tables."""
_NOT_CONTENT = ("images", "missing", "duplicates", "buffer", "lanes", "shards", "unnamed")


_IMPORT = (
    "What another tool exported is turned into a table by clbench data import; one of your own is a CSV with the "
    "columns file, split and labels."
)


def table_file(path: Path) -> Path:
    """Return the table's file: `path` itself, or what lies in the folder `path`. Raises UsageError or DataError."""
    if path.is_dir():
        for ending in ENDINGS:
            if (path / f"labels{ending}").is_file():
                return path / f"labels{ending}"
        raise DataError(f"{path}: no labels.csv, labels.npz or labels.json in this folder.", hint=_IMPORT)
    form = OTHER_FORMS.get(path.suffix.lower())
    if path.suffix.lower() not in ENDINGS and (path.exists() or not form):
        raise UsageError(
            f"{path}: a label table ends in {', '.join(ENDINGS)}" + (f"; this is {form}." if form else "."),
            hint=_IMPORT if form else "",
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file.", hint="A scenario names it from the folder of its own file.")
    return path


def read(path: Path, *, root: Path, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table in the file `path`, whose photos lie below `root`.

    Raises DataError naming the file and the row of whatever is wrong, and, with `photos`, when more photos are absent
    than the option `missing` allows; UsageError for an unknown option or label.
    """
    file = table_file(path)
    name = file.parent.resolve().name if file.stem.lower() in PLAIN_NAMES else file.stem
    reader, more = ENDINGS[file.suffix.lower()]
    values = resolve_options(name, OPTIONS + more, options)
    features = find_features(root, values["features"], name=name) if values["features"] else None
    shards = find_shards(root, values["shards"], name=name) if values["shards"] and photos else None
    if features is not None and values["shards"]:
        raise UsageError(f"{name}: options features and shards: a row has one or the other.")

    def build() -> LabelTable:
        draft = reader(file, name=name, values=values)
        if features is not None:
            check_rows(features, rows=draft.total, table=file.name, name=name)
            draft = replace(draft, files=[str(row) for row in draft.rows])
        revision = _revision(name, draft, values, options=OPTIONS + more)
        table = _restricted(draft.table(name=name, revision=revision), values=values)
        if shards is not None:
            found = _in_shards(table, shards, values=values)
            if values["unnamed"] == "refuse" and values["val"] != "drop":  # rows of val are gone from the draft
                refuse_unnamed(shards, draft.files, name=name)
            return merged_in(shards, found) if values["duplicates"] == "merge" else found
        return _with_photos(table, root=root, values=values) if photos and features is None else table

    key = {"reader": "custom", "version": str(VERSION), "file": str(file.resolve()), "root": str(root.resolve())}
    sources = [file, *vocabulary_file(file)]
    if features is not None:
        key["features of"] = features.stamp()
        return cached({**key, **values}, sources=sources, build=build)
    if shards is not None:
        key["shards of"] = shards.stamp
        return cached({**key, **values}, sources=sources, build=build)
    if photos and not values["shards"]:
        sources += [folder for folder in (root, root / "images", root / values["images"]) if folder.is_dir()]
    table = cached({**key, **values, "photos": str(photos)}, sources=sources, build=build)
    # every time: a file can change without its folder's noticing
    return merged(table, root=root) if values["duplicates"] == "merge" and not values["shards"] else table


def _revision(name: str, draft: Draft, values: Mapping[str, str], *, options: Sequence[Option]) -> str:
    changed = [one for one in options if one.name not in _NOT_CONTENT and values[one.name] != one.default]
    words = [name, *(f"{option.name}={values[option.name]}" for option in changed)]
    if draft.ids != draft.files:
        # a table's digest leaves paths out; where ids do not name the files, which file is whose must be said here
        pairs = "\n".join(sorted(f"{image}\t{file}" for image, file in zip(draft.ids, draft.files, strict=True)))
        words.append(f"files={hashlib.sha256(pairs.encode()).hexdigest()[:12]}")
    return " ".join(words)


def _restricted(table: LabelTable, *, values: Mapping[str, str]) -> LabelTable:
    """Return the table with the labels and images that the options ask for."""
    wanted = named_labels(table.name, table.labels, values["labels"])
    keep = np.ones(len(table.labels), dtype=np.bool_) if wanted is None else wanted
    for split in ("train", "test"):
        keep &= (table.y[table.split == split] == 1).sum(axis=0) >= int(values[f"min_{split}_positives"])
    empty = set(labels_without_positives(table, split="train")) & set(labels_without_positives(table, split="test"))
    unused = [label for label, kept in zip(table.labels, keep.tolist(), strict=True) if kept and label in empty]
    if unused and values["empty_labels"] == "refuse":
        crowd = bool(table.member[:, table.labels.index(unused[0])].any())
        raise DataError(
            f"{table.name}: no image carries the label {unused[0]!r}"
            + (f" (and {len(unused) - 1} more labels)" if len(unused) > 1 else "")
            + (": all its objects are marked as crowds (iscrowd 1)." if crowd else "."),
            hint="If they are objects with holes or in parts, take them for positives with the option `crowd: keep`."
            if crowd
            else "Take it out of the vocabulary, or declare it with the option `empty_labels: keep` or `drop`.",
        )
    if values["empty_labels"] == "drop":
        keep &= ~np.isin(table.labels, unused)
    if not keep.any():
        raise DataError(f"{table.name}: the options leave no label of {len(table.labels)}.")
    rows: Mask = np.ones(len(table), dtype=np.bool_)
    if values["unlabelled"] == "drop":
        rows &= table.member[:, keep].any(axis=1)
    if keep.all() and rows.all():
        return table
    return _rows(table, rows=rows, columns=keep)


def _with_photos(table: LabelTable, *, root: Path, values: Mapping[str, str]) -> LabelTable:
    base = values["images"].strip("/")
    if base:
        found, gone = settle(root, table.paths.tolist(), ways=[lambda path: f"{base}/{path}"])
    else:
        found, gone = settle(root, table.paths.tolist(), ways=[lambda path: path, lambda path: f"images/{path}"])
        if gone:
            unique = {name: places[0] for name, places in below(root).items() if len(places) == 1}
            again, still = settle(root, [found[i] for i in gone], ways=[lambda path: unique.get(Path(path).name, path)])
            for position, place in zip(gone, again, strict=True):
                found[position] = place
            gone = [gone[index] for index in still]
    if len(gone) > float(values["missing"]) * len(table):
        refuse_absent(
            table.name,
            root=root,
            paths=table.paths.tolist(),
            missing=gone,
            hint="Its rows are those of features.npy: set the option features=features.npy."
            if (root / "features.npy").is_file()
            else "Name their folder with the option `images`, or allow a share to be absent with `missing: 0.01`.",
        )
    note = f" absent={len(gone)}" if gone else ""
    notes = (f"{len(gone)} of {len(table)} photos are absent and left out",) if gone else ()
    rows = np.ones(len(table), dtype=np.bool_)
    rows[gone] = False
    settled = replace(
        table,
        paths=np.array(found, dtype=np.str_),
        revision=table.revision + note,
        notes=(*table.notes, *notes),
    )
    return settled if rows.all() else _rows(settled, rows=rows, columns=np.ones(len(table.labels), dtype=np.bool_))


def _in_shards(table: LabelTable, shards: Shards, *, values: Mapping[str, str]) -> LabelTable:
    """Return the table with the rows of the shards as its paths."""
    found = shards.rows_of(table.paths.tolist())
    gone = found < 0
    if gone.sum() > float(values["missing"]) * len(table):
        refuse_absent_from(shards, table.paths[gone].tolist(), count=len(table), name=table.name)
    lying = replace(table, paths=np.maximum(found, 0).astype(np.str_))
    if not gone.any():
        return lying
    absent = int(gone.sum())
    notes = (*table.notes, f"{absent} of {len(table)} photos are absent and left out")
    lying = replace(lying, revision=f"{table.revision} absent={absent}", notes=notes)
    return _rows(lying, rows=~gone, columns=np.ones(len(table.labels), dtype=np.bool_))


def _rows(table: LabelTable, *, rows: Mask, columns: Mask) -> LabelTable:
    return replace(
        table,
        labels=tuple(label for label, kept in zip(table.labels, columns.tolist(), strict=True) if kept),
        ids=table.ids[rows],
        paths=table.paths[rows],
        y=table.y[rows][:, columns],
        member=table.member[rows][:, columns],
        split=table.split[rows],
    )
