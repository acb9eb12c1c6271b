"""The data sets that clbench knows by name, and the one door to every label table."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from clbench.data.datasets import coco, nuswide, open_images, voc
from clbench.data.datasets import pedestrian_attributes as attributes
from clbench.data.datasets.dataset import Dataset, Option, Reader, Source, resolve_options
from clbench.data.datasets.statistics import known_statistics
from clbench.data.importers import direct
from clbench.data.own_table import table_file as custom
from clbench.data.own_table.label_names import doubtful
from clbench.data.sparse.files import is_csr, read_csr
from clbench.data.table import LabelTable
from clbench.errors import DataError, UsageError, suggest
from clbench.files.user_folders import existing
from clbench.files.yaml_text import convert, read_mapping

log = logging.getLogger(__name__)

SCENES_OPTIONS = tuple(
    Option(name, default, text, kind="count")
    for name, default, text in (
        ("train", "4000", "number of train images"),
        ("test", "1000", "number of test images"),
        ("seed", "0", "which of the possible data sets"),
        ("size", "64", "pixels per side, 32 to 128"),
    )
)


def _scenes(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    from clbench.data.scenes.scenes import known_scenes

    values = resolve_options(name, SCENES_OPTIONS, options)
    return known_scenes(**{option: int(value) for option, value in values.items()}).table()


_READERS: dict[str, Reader] = {
    "scenes": _scenes, "coco": coco.read, "voc": voc.read, "nuswide": nuswide.read, "attributes": attributes.read,
    "open-images": open_images.read,
}  # fmt: skip
_OPTIONS = {"scenes": SCENES_OPTIONS, "coco": coco.OPTIONS, "voc": voc.OPTIONS, "nuswide": nuswide.OPTIONS,
            "open-images": open_images.OPTIONS}  # fmt: skip


class _File(Struct, forbid_unknown_fields=True):
    """A file of a release; it lies at each of the data set's `bases` under the path `inside`, or else `file`."""

    file: str
    inside: str = ""
    bytes: int = 0
    checksum: str = ""
    unpack: bool = False
    into: str = ""
    makes: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    """Further addresses."""


class _Facts(Struct, forbid_unknown_fields=True):
    """An entry of datasets.yaml: the fields of `Dataset`, the name of its reader, and its files."""

    title: str
    reader: str = ""
    folders: tuple[str, ...] | None = None
    layout: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    sources: tuple[_File, ...] = ()
    by_hand: tuple[str, ...] = ()
    size: str = ""
    terms: str = ""
    homepage: str = ""


def _known() -> dict[str, Dataset]:
    path = Path(__file__).with_name("datasets.yaml")
    facts = convert(read_mapping(path, what="the list of data sets", hint=""), dict[str, _Facts], source=path.name)
    return {name: _dataset(name, one) for name, one in facts.items()}


def _dataset(name: str, facts: _Facts) -> Dataset:
    return Dataset(
        name=name,
        title=facts.title,
        read=_READERS.get(facts.reader),
        options=_OPTIONS.get(facts.reader, attributes.OPTIONS.get(name, ())),
        folders=(name,) if facts.folders is None else facts.folders,
        layout=facts.layout,
        sources=tuple(
            Source(
                one.file,
                (*(f"{base}/{one.inside or one.file}" for base in facts.bases), *one.more),
                one.bytes,
                one.checksum,
                one.unpack,
                one.into,
                one.makes,
            )
            for one in facts.sources
        ),
        by_hand=facts.by_hand,
        size=facts.size,
        terms=facts.terms,
        homepage=facts.homepage,
    )


DATASETS: dict[str, Dataset] = _known()


def open_table(dataset: str, *, root: Path | None, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return what `read_table` returns, and warn of how a table of the user's was read and of doubtful label names."""
    table = read_table(dataset, root=root, options=options, photos=photos)
    tell_doubts(table, dataset)
    return table


def tell_doubts(table: LabelTable, dataset: str) -> None:
    """Warn of how a table of the user's was read and of its doubtful label names; of known data sets of nothing."""
    if is_path(dataset):
        doubts = (f"{len(found.names)} {found.text}: {found.listed}" for found in doubtful(table.labels))
        for note in (*table.notes, *doubts):
            log.warning("%s: %s", table.name, note)


def read_table(dataset: str, *, root: Path | None, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the label table of a known data set, or of the user's table file `dataset`.

    `root` is the data folder; None means `default_root`. With `photos` False nobody looks whether the photos are there.
    Raises UsageError for an unknown name, option or value, and DataError naming what is missing or damaged, and the
    command that gets it.
    """
    if is_path(dataset):
        path = Path(dataset).expanduser()
        if is_csr(path):
            return read_csr(path, root=root or path.parent, options=options)
        if direct.is_export(path):
            return direct.open_export(path, root=root or (path if path.is_dir() else path.parent), options=options)
        file = custom.table_file(path)
        return custom.read(file, root=root or file.parent, options=options, photos=photos)
    known = find(dataset)
    if known.read is None:
        raise UsageError(f"{dataset} is a set of id lists, not a data set with images.")
    folder = root or default_root(dataset)
    if known.folders and folder is None:
        raise DataError(
            f"{dataset}: it is not on this machine (looked for {' and '.join(known.folders)} in the data folder).",
            hint=f"clbench data get {dataset}, or name the folder above it with CLBENCH_DATA.",
        )
    if known.folders and folder is not None and not folder.is_dir():
        raise DataError(f"{dataset}: {folder} is not a folder.", hint=f"clbench data get {dataset}")
    return known.read(folder or Path(), name=dataset, options=options, photos=photos)


def check_whole(table: LabelTable, dataset: str, *, options: Mapping[str, str]) -> None:
    """Raise DataError where the table of a known data set has another number of images than its official release."""
    if is_path(dataset) or " absent=" in table.revision:
        return
    known = known_statistics(dataset, options=resolve_options(dataset, find(dataset).options, options))
    slack = known.get("slack", {}).get("images", 0) if known else 0
    for split, wanted in known["images"].items() if known else ():
        found = len(table) if split == "all" else int((table.split == split).sum())
        if abs(found - wanted) > slack:
            raise DataError(
                f"{dataset}: {found:,} {'' if split == 'all' else f'{split} '}images, its release has {wanted:,}.",
                hint=f"Look at `clbench data check {dataset}`. To run on a part, in rows of their own: --unpinned.",
            )


def default_root(dataset: str) -> Path | None:
    """Return where the data set lies when nobody says: a table file's folder, else its folder below CLBENCH_DATA or the
    cache, or None when it is in neither. Raises UsageError for an unknown name.
    """
    if is_path(dataset):
        path = Path(dataset).expanduser()
        return path if path.is_dir() and not is_csr(path) else path.parent
    return existing(find(dataset).folders)


def find(name: str) -> Dataset:
    """Return the known data set `name`. Raises UsageError with the nearest name otherwise."""
    if name not in DATASETS:
        raise UsageError(
            f"There is no data set '{name}'.{suggest(name, DATASETS)}",
            hint=f"Known are {', '.join(DATASETS)}, or the path of a .csv, .npz or .json table.",
        )
    return DATASETS[name]


def is_path(dataset: str, *, beside: Path = Path()) -> bool:
    """Say whether `dataset` names a file or folder, from the folder `beside`, rather than a known data set."""
    if dataset in DATASETS:
        return False
    known = dataset.lower().endswith((*custom.ENDINGS, *custom.OTHER_FORMS))
    # not Path.exists, which raises for a name that is too long for a file
    return known or "/" in dataset or "\\" in dataset or os.path.exists(beside / dataset)  # noqa: PTH110
