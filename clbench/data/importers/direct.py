"""Exports used as they are: `dataset: ../export` in a scenario, without an import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from clbench.data.datasets.dataset import Option, resolve_options
from clbench.data.features.feature_file import BUFFER, LANES
from clbench.data.importers.detect import FORMS, form_of
from clbench.data.importers.export import Form
from clbench.data.importers.forms.hugging_face import has_pyarrow, held_in
from clbench.data.importers.import_export import Wish, plan_import
from clbench.data.importers.source import Source
from clbench.data.own_table.same_photos import DUPLICATES, merged, merged_in
from clbench.data.shards.shards import Shards, find_shards, shards_at
from clbench.data.sparse.files import is_csr
from clbench.data.table import LabelTable
from clbench.data.table_cache import cached
from clbench.errors import DataError

TABLES = ("labels.csv", "labels.tsv", "labels.npz", "labels.json")
PLAIN = {
    ".csv": ("columns", "open-images", "label-studio"),
    ".json": ("datumaro", "label-studio"),
    ".jsonl": ("imagefolder",),
    ".xml": ("cvat",),
    ".parquet": ("parquet",),
    ".tar": ("webdataset",),
}
"""By ending, the forms of a single file that no label table of one's own can be taken for."""
OPTIONS = (
    Option("form", "", "the export's form, where it could be several", kind="text"),
    Option(
        "split", "0", "share of test images, stratified over the labels; 0: the export's own split", kind="fraction"
    ),
    Option("seed", "0", "with split: which one", kind="count"),
    Option("group", "", "with split: a column, or path:REGEX, that keeps images together", kind="text"),
    Option(
        "val",
        "auto",
        "where val images go: train where there is a test split, else test",
        ("auto", "train", "test", "drop"),
    ),
    DUPLICATES,
    Option("missing", "refuse", "what to do when a photo is absent", ("refuse", "drop")),
    BUFFER,
    LANES,
)


def is_export(path: Path) -> bool:
    """Say whether a path is an export that another tool wrote, and not a label table of one's own."""
    if not path.exists() or (path.is_dir() and any((path / name).is_file() for name in TABLES)):
        return False
    source = Source(path)
    forms = FORMS if path.is_dir() else PLAIN.get(path.suffix.lower(), ())
    return any(FORMS[name].fits(source) for name in forms)


def open_export(path: Path, *, root: Path, options: Mapping[str, str]) -> LabelTable:
    """Return the label table of an export whose photos lie below `root`; ids are the photos' paths.

    Options are those above and those of the form. Raises DataError as an import does, and where the export holds its
    photos in itself, or has none.
    """
    form, files = form_of(Source(path), named=options.get("form", ""))
    values = resolve_options(path.name, (*OPTIONS, *form.options), options)
    shards = _own_shards(path, form=form, files=files)
    if shards is None:
        return _opened(path, root=root, values=values, form=form, shards=None)
    home = path if path.is_dir() else path.parent
    key = {"reader": form.name, "version": "1", "path": str(path.resolve()), "shards of": shards.stamp, **values}
    return cached(
        key,
        sources=[home / "classes.json"],
        build=lambda: _opened(path, root=root, values=values, form=form, shards=shards),
    )


def _own_shards(path: Path, *, form: Form, files: list[str]) -> Shards | None:
    """Return what holds the photos of an export, where that is the export itself."""
    paths = [(path if path.is_dir() else path.parent) / file for file in files]
    if form.name == "webdataset":
        return shards_at(paths)
    if form.name == "parquet" and has_pyarrow() and (column := held_in(paths[0])):
        return shards_at(paths, column=column, named=False)
    return None


def _opened(path: Path, *, root: Path, values: Mapping[str, str], form: Form, shards: Shards | None) -> LabelTable:
    share = float(values["split"])
    wish = Wish(
        form=values["form"],
        photos=root,
        split=share or None,
        seed=int(values["seed"]),
        group=values["group"],
        val="" if values["val"] == "auto" else values["val"],
        missing=values["missing"],
        options={option.name: values[option.name] for option in form.options},
    )
    plan = plan_import(path, to=root, wish=wish)
    if plan.photos is None and shards is None:
        raise DataError(f"{path}: the photos are no files here.", hint=f"clbench data import {path} --to FOLDER")
    table, paths = plan.table, plan.table.files
    if shards is not None:
        rows = [entry.row for entry in plan.entries]
        paths = [str(row) for row in (rows if rows[0] >= 0 else shards.rows_of(table.files).tolist())]
    changed = {name: value for name, value in values.items() if value != _default(name, form.options)}
    chosen = [f"{name}={value}" for name, value in changed.items() if name not in (BUFFER.name, LANES.name)]
    opened = LabelTable(
        name=path.resolve().stem,
        revision=" ".join([path.resolve().stem, f"form={form.name}", *chosen]),
        labels=tuple(table.labels),
        ids=np.array(table.ids, dtype=np.str_),
        paths=np.array(paths, dtype=np.str_),
        y=table.y,
        member=table.y == 1,
        split=np.array(table.splits, dtype=np.str_),
        notes=tuple(plan.export.notes),
    )
    if values["duplicates"] != "merge":
        return opened
    return merged(opened, root=root) if shards is None else merged_in(shards, opened)


def shards_of(dataset: str, *, root: Path | None, options: Mapping[str, str]) -> Shards | None:
    """Return the shards that hold the photos of a data set, None where none do.

    They are those that the option `shards` names, or the tars or Parquet files that the data set itself is. Raises as
    `find_shards` does.
    """
    path = Path(dataset)
    if options.get("shards", ""):
        return find_shards(root or path.parent, options["shards"], name=path.stem)
    if not (path.suffix in (".tar", ".parquet") or path.is_dir()) or is_csr(path) or not is_export(path):
        return None
    form, files = form_of(Source(path), named=options.get("form", ""))
    return _own_shards(path, form=form, files=files)


def _default(name: str, options: tuple[Option, ...]) -> str:
    return next(option.default for option in (*OPTIONS, *options) if option.name == name)
