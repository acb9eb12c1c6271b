"""Comparing a data set on disk with what is known of it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from clbench.data.datasets import voc, voc_xml
from clbench.data.datasets.dataset import resolve_options
from clbench.data.datasets.registry import default_root, find, is_path, read_table
from clbench.data.datasets.statistics import id_digest, known_statistics
from clbench.data.fetch.check_report import Report
from clbench.data.fetch.describe_labels import describe_labels
from clbench.data.fetch.photo_probe import Photo, kinds, probe_bytes, probe_quietly
from clbench.data.importers.direct import shards_of
from clbench.data.pictures.photo_files import photo_path
from clbench.data.shards.shards import Shards
from clbench.data.table import LabelTable, labels_without_positives
from clbench.errors import DataError, UsageError

__all__ = ["Report", "check_table"]

Progress = Callable[[str, int, int], None]
THREADS = 8  # decoders work outside the interpreter's lock; more threads only wait for the disk


def check_table(
    name: str, *, root: Path | None, options: Mapping[str, str], decode: bool, progress: Progress | None
) -> Report:
    """Return what is right and wrong with the table of `name` below `root` and with its photos."""
    report = Report(name, root)
    table, complete = _opened(name, root=root, options=options, report=report)
    if table is None:
        return report
    describe_labels(table, report=report, own=is_path(name))
    _empty_labels(table, report=report)
    if not is_path(name):
        values = resolve_options(name, find(name).options, options)
        _statistics(table, name=name, values=values, report=report)
        if name.startswith("voc") and root is not None:
            _voc_annotations(name, root=root, report=report, progress=progress)
    if complete and decode and name != "scenes" and not options.get("features"):
        home = root or default_root(name) or Path()
        shards = shards_of(name, root=home, options=options) if is_path(name) else None
        _photos(table, root=home, shards=shards, report=report, progress=progress)
    return report


def _opened(
    name: str, *, root: Path | None, options: Mapping[str, str], report: Report
) -> tuple[LabelTable | None, bool]:
    """Return the table and whether its photos are all there; what is wrong goes into the report."""
    try:
        return read_table(name, root=root, options=options), True
    except DataError as error:
        report.error(error.message, hint=error.hint)
    kept = {**options, "duplicates": "keep"}
    for chosen, photos in ((kept, True), (kept, False), (options, False)):
        try:
            return read_table(name, root=root, options=chosen, photos=photos), photos
        except (DataError, UsageError):
            continue  # there is no such option, or the labels themselves are the trouble, which the report says already
    return None, False


def _empty_labels(table: LabelTable, *, report: Report) -> None:
    for split in ("train", "test"):
        empty = labels_without_positives(table, split=split)
        if empty:
            report.warn(f"{len(empty)} labels have no positive {split} image", items=empty)


def _statistics(table: LabelTable, *, name: str, values: Mapping[str, str], report: Report) -> None:
    known = known_statistics(name, options=values)
    if known is None or " absent=" in table.revision:
        report.warn("no counts to compare with are known for these options")
        return
    for split, wanted in known["images"].items():
        rows = _rows(table, split)
        slack = known.get("slack", {}).get("images", 0)
        _compare(report, f"{split} images", found=int(rows.sum()), wanted=wanted, slack=slack, hint=_hint(name))
    for what, texts in (("ids", table.ids), ("numbers", _numbers(table))):
        for split, wanted in known.get(what, {}).items():
            if id_digest(texts[_rows(table, split)].tolist()) == wanted:
                report.fine(f"the {_images(split)} are the official ones ({what} compared)")
            else:
                report.error(f"the {_images(split)} are not the official ones ({what} compared)", hint=_hint(name))
    for split, counts in known.get("labels", {}).items():
        _label_counts(table, split=split, counts=counts, known=known, report=report)


def _label_counts(
    table: LabelTable, *, split: str, counts: dict[str, int], known: dict[str, Any], report: Report
) -> None:
    pool = table.member if known["of"] == "member" else table.y == 1
    found = dict(zip(table.labels, pool[_rows(table, split)].sum(axis=0).tolist(), strict=True))
    slack = known.get("slack", {}).get("labels", {})
    odd = [
        f"{label}: {count:,} instead of {counts.get(label, 0):,}"
        for label, count in found.items()
        if abs(count - counts.get(label, -1)) > slack.get(label, 0)
    ]
    if odd:
        report.error(
            f"{len(odd)} of {len(found)} labels have another number of {_images(split)} than published", items=odd
        )
    else:
        report.fine(f"all {len(found)} labels have as many {_images(split)} as published")


def _hint(name: str) -> str:
    return f"The annotations are of another release, or cut down: clbench data get {name}, into an empty folder."


def _compare(report: Report, what: str, *, found: int, wanted: int, slack: int, hint: str) -> None:
    if abs(found - wanted) > slack:
        report.error(f"{found:,} {what}, expected {wanted:,}", hint=hint)
    else:
        report.fine(f"{found:,} {what}, as published")


def _images(split: str) -> str:
    return "images" if split == "all" else f"{split} images"


def _rows(table: LabelTable, split: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.ones(len(table), dtype=np.bool_) if split == "all" else table.split == split


def _numbers(table: LabelTable) -> np.ndarray[Any, np.dtype[np.str_]]:
    """Return the last number in each file name: Flickr's, in NUS-WIDE."""
    last = re.compile(r"(\d+)\.[^./]*$")
    return np.array([found.group(1) if (found := last.search(path)) else "" for path in table.paths.tolist()])


def _voc_annotations(name: str, *, root: Path, report: Report, progress: Progress | None) -> None:
    try:
        home = voc.find_home(root, name=name)
        for part in voc.SPLITS[name].values():
            ids, marks = voc.read_lists(home, part=part, name=name)
            found = voc_xml.marks(home, ids, name=name)
            if progress:
                progress(f"annotations of {part}", len(ids), len(ids))
            odd = [f"{ids[row]}: {voc.LABELS[column]}" for row, column in np.argwhere(found != marks).tolist()]
            if odd:
                report.error(f"{part}: the XML annotations disagree with ImageSets/Main {len(odd)} times", items=odd)
            else:
                report.fine(f"{part}: the XML annotations of {len(ids):,} images agree with ImageSets/Main")
    except DataError as error:
        report.error(error.message, hint=error.hint)


def _photos(table: LabelTable, *, root: Path, shards: Shards | None, report: Report, progress: Progress | None) -> None:
    paths = table.paths.tolist()
    probed = _probed(root, paths)
    if shards is not None:
        probed = _probed_in(shards, [int(row) for row in paths])
        paths = [shards.place(int(row)) for row in paths]
    bad: list[str] = []
    seen: list[Photo] = []
    sides: dict[str, list[str]] = {}
    for done, (path, split, photo) in enumerate(zip(paths, table.split.tolist(), probed, strict=True), 1):
        if photo.problem:
            bad.append(f"{path}: {photo.problem}")
        else:
            seen.append(photo)
            sides.setdefault(photo.sha256, []).append(split)
        if progress and (done % 64 == 0 or done == len(paths)):
            progress("photos", done, len(paths))
    if bad:
        hint = "Fetch them again, or take their rows out of the table."
        report.error(f"{len(bad):,} of {len(paths):,} photos cannot be decoded", hint=hint, items=bad)
    else:
        report.fine(f"all {len(paths):,} photos can be decoded")
    for sentence in kinds(seen):
        report.fine(sentence)
    shared = sum(len(set(splits)) > 1 for splits in sides.values())
    if shared:
        report.warn(f"{shared:,} photos are byte for byte the same in train and in test")
    more = sum(len(splits) - 1 for splits in sides.values() if len(set(splits)) == 1)
    if more:
        report.warn(f"{more:,} photos are byte for byte the same as another of their split")


def _probed(root: Path, paths: Sequence[str]) -> Iterator[Photo]:
    from PIL import Image

    def one(path: str) -> Photo:
        try:
            return probe_quietly(photo_path(root, path))
        except DataError as error:
            return Photo(problem=error.message)

    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        for first in range(0, len(paths), 1024):  # in portions, so that a stop is soon heeded
            yield from pool.map(one, paths[first : first + 1024])


def _probed_in(shards: Shards, rows: Sequence[int]) -> Iterator[Photo]:
    from PIL import Image

    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        for first in range(0, len(rows), 256):  # so many pictures are in memory
            yield from pool.map(probe_bytes, [shards.read(row) for row in rows[first : first + 256]])
