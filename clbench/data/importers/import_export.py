"""From an export to a label table in a folder: what `clbench data import` does."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import resolve_options
from clbench.data.importers.detect import form_of
from clbench.data.importers.export import Entry, Export, merged
from clbench.data.importers.photos import prefix_of, reach, settle_photos
from clbench.data.importers.placing import check_splits, new_splits, own_splits
from clbench.data.importers.report import report_text
from clbench.data.importers.source import Source
from clbench.data.importers.table_out import Table
from clbench.data.own_table.label_names import doubtful
from clbench.data.own_table.same_photos import same_photos
from clbench.errors import DataError, UsageError
from clbench.files.whole_file import whole_file

EMBEDDED = "images/"
"""Where photos go that the export itself holds."""


@dataclass(frozen=True)
class Wish:
    """How an export is to become a table."""

    form: str = ""
    photos: Path | None = None
    """The folder of the photos; default: the export's own."""
    split: float | None = None
    """Share of test photos, where the export's own split is not wanted or there is none."""
    seed: int = 0
    group: str = ""
    """A column of the export, or "path:REGEX", whose first group in a photo's path keeps photos together."""
    val: str = ""
    """Where val photos go: "train", "test" or "drop". Default: train where there is a test split, else test."""
    missing: str = "refuse"
    copy: bool = False
    replace: bool = False
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Imported:
    """What an import wrote."""

    file: Path
    form: str
    table: Table
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    """Photos in the folder that the export does not name."""
    report: Path
    features: Path | None = None
    """The features of tables that have no photos."""


@dataclass(frozen=True)
class Plan:
    """What an import is going to write."""

    form: str
    export: Export
    table: Table
    entries: list[Entry]
    rows: list[int]
    photos: Path | None
    """The folder of the photos; None where the export holds them, or there are none."""
    left_out: list[str]


def plan_import(path: Path, *, to: Path, wish: Wish) -> Plan:
    """Return what an import would write, and write nothing.

    Raises DataError naming file, row and field of what is wrong, and UsageError for a wish that cannot be meant.
    """
    source = Source(path)
    form, files = form_of(source, named=wish.form)
    export = form.read(source, files, resolve_options(form.name, form.options, wish.options))
    if not export.entries:
        raise DataError(f"{source.path}: the export names no photo.", hint="Export it again.")
    held = sum(entry.picture is not None for entry in export.entries)
    if held not in (0, len(export.entries)):
        raise DataError(f"{source.path}: some rows hold their photo and some do not.", hint="Import them apart.")
    inside = held or export.features is not None or export.shards is not None
    photos = None if inside else wish.photos or source.root
    left_out: list[str] = []
    if photos is not None:
        left_out = settle_photos(export, photos, missing=wish.missing)
    if export.features is None:
        export = merged(export)
    labels, y = _matrix(export)
    silent = (y == -1).all(axis=1)
    if silent.any():
        export.notes.append(f"{int(silent.sum()):,} photos of which no label is known are left out")
        export.entries = [entry for entry, none in zip(export.entries, silent.tolist(), strict=True) if not none]
        y = y[~silent]
    if wish.split is None:
        if wish.group:
            raise UsageError("--group keeps photos together when they are split.", hint="Add --split 0.2")
        splits = own_splits(export, val=wish.val)
    else:
        twins = _twins(export.entries, photos)
        splits = new_splits(export, y, share=wish.split, seed=wish.seed, group=wish.group, twins=twins)
    rows = [row for row, split in enumerate(splits) if split]
    splits, entries = [splits[row] for row in rows], [export.entries[row] for row in rows]
    check_splits(export, splits, y[rows], labels)
    prefix = prefix_of(photos, to) if photos is not None else EMBEDDED if held else ""
    ids = [entry.file for entry in entries]
    table = Table(labels, [prefix + name for name in ids], splits, ids, y[rows])
    return Plan(form.name, export, table, entries, rows, photos, left_out)


def import_export(path: Path, *, to: Path, wish: Wish) -> Imported:
    """Write labels.csv, labels.classes.json and import-report.md into the folder `to`; the table last.

    Photos that lie elsewhere become reachable below it, and tables of features get features.npy, rows as in the table.
    Raises as `plan_import` does, and ResultsError where the folder cannot be written. UsageError: the table is there
    already; DataError: photos cannot be put there.
    """
    if (to / "labels.csv").exists() and not wish.replace:
        raise UsageError(f"{to / 'labels.csv'} is there already.", hint="Name another folder, or use --replace.")
    plan = plan_import(path, to=to, wish=wish)
    plan.export.notes[:0] = [
        f"{len(found.names)} {found.text}: {found.listed}" for found in doubtful(plan.table.labels)
    ]
    if plan.export.shards is not None:
        beside = Path(os.path.relpath(plan.export.shards.shards[0].source.parent, to)).as_posix()
        plan.export.notes.append(f"photos stay in their shards: a scenario says options: {{shards: '{beside}/*.tar'}}")
    report = report_text(
        path, form=plan.form, options=wish.options, export=plan.export, table=plan.table, left_out=plan.left_out
    )
    written = plan.table.csv_files()
    try:
        to.mkdir(parents=True, exist_ok=True)
        if plan.photos is not None:
            reach(plan.photos, to, copy=[entry.file for entry in plan.entries] if wish.copy else None)
        for entry, file in zip(plan.entries, plan.table.files, strict=True):
            if entry.picture is not None:
                (to / file).parent.mkdir(parents=True, exist_ok=True)
                (to / file).write_bytes(entry.picture)
    except OSError as error:
        raise DataError(f"{to}: the photos cannot be put there: {error}.", hint="Name another folder: --to") from error
    features = None if plan.export.features is None else to / "features.npy"
    if plan.export.features is not None and features:
        with whole_file(features, what="the features") as out:
            np.save(out, plan.export.features[plan.rows])
    for name, data in {"import-report.md": report.encode(), **written}.items():
        with whole_file(to / name, what="the label table") as out:
            out.write(data)
    notes, left_out = tuple(plan.export.notes), tuple(plan.left_out)
    return Imported(to / "labels.csv", plan.form, plan.table, notes, left_out, to / "import-report.md", features)


def _twins(entries: list[Entry], photos: Path | None) -> list[list[int]]:
    """Return which entries are one photo, byte for byte."""
    if photos is not None:
        return same_photos(photos, [entry.file for entry in entries])
    rows: dict[bytes, list[int]] = defaultdict(list)
    for row, entry in enumerate(entries):
        if entry.picture is not None:
            rows[entry.picture].append(row)
    return [group for group in rows.values() if len(group) > 1]


def _matrix(export: Export) -> tuple[list[str], npt.NDArray[np.int8]]:
    """Return the labels that some photo has, and y [entries, labels]."""
    carried = {label for entry in export.entries for label, value in entry.marks.items() if value == 1}
    spoken = {label for entry in export.entries for label in entry.marks}
    named = export.labels if export.labels is not None else sorted(spoken)
    labels = [label for label in named if label in carried]
    empty = [label for label in named if label not in carried]
    if not labels:
        raise DataError("no photo of the export has a label.", hint="Is it the right file, or the right column?")
    if empty:
        export.notes.append(f"labels that no photo has are left out: {', '.join(empty)}")
    column = {label: index for index, label in enumerate(labels)}
    y = np.full((len(export.entries), len(labels)), export.unsaid, dtype=np.int8)
    for row, entry in enumerate(export.entries):
        for label, value in entry.marks.items():
            if label in column:
                y[row, column[label]] = value
    return labels, y
