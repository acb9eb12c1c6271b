"""What `clbench data list`, `get` and `check` do; the command line prints what these return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clbench.data.datasets.dataset import Dataset, Source
from clbench.data.datasets.registry import DATASETS, default_root, find, is_path
from clbench.data.fetch.check import Report, check_table
from clbench.data.fetch.download import Progress, digest, fetch
from clbench.data.fetch.unpack import unpack
from clbench.errors import DataError, UsageError, suggest
from clbench.files.user_folders import data_folder

__all__ = ["Got", "Report", "Row", "check", "get", "list_datasets"]


@dataclass(frozen=True)
class Row:
    """One line of `clbench data list`."""

    name: str
    title: str
    size: str
    place: Path | None
    """Where it lies on this machine, or None."""
    automatic: bool
    """Whether `data get` can fetch something of it."""
    dataset: Dataset


@dataclass(frozen=True)
class Got:
    """What `clbench data get` did."""

    name: str
    root: Path
    fetched: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Fetched files for which no checksum is known; only counts can tell whether they are right."""
    by_hand: tuple[str, ...] = ()
    """What is left for a person to do."""
    layout: tuple[str, ...] = ()
    next_step: str = ""


@dataclass
class _Tally:
    fetched: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def list_datasets() -> list[Row]:
    """Return every data set that is known by name, with where it lies on this machine."""
    return [
        Row(dataset.name, dataset.title, dataset.size, default_root(dataset.name), bool(dataset.sources), dataset)
        for dataset in DATASETS.values()
    ]


def get(
    name: str,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    mirrors: Mapping[str, tuple[str, ...]] | None = None,
    keep_archives: bool = False,
    pause: float = 1.0,
) -> Got:
    """Fetch and unpack the official files of a data set into `root`, and say what is left to do by hand.

    What is there already is not fetched again, and a broken download continues. `mirrors` replaces the addresses of a
    file, by its name; lengths and checksums stay the official ones. An archive that was fetched here is removed once it
    is unpacked, unless `keep_archives`; one that lay there before is used and left. Nothing else is removed or
    replaced. Raises UsageError for an unknown name or mirror, and DataError when a file cannot be fetched or unpacked.
    """
    dataset = find(name)
    home = root or default_root(name) or data_folder() / dataset.folder
    tally = _Tally()
    sources = _with_mirrors(dataset, mirrors or {})
    for source in sources:
        if source.makes and all((home / place).exists() for place in source.makes) and not _unfinished(home, source):
            tally.already.append(source.file)
        else:
            _get_one(source, home=home, progress=progress, keep=keep_archives, pause=pause, tally=tally)
    next_step = f"clbench data check {name}" + (f" --root {root}" if root else "") if dataset.read else ""
    return Got(
        name,
        home,
        tuple(tally.fetched),
        tuple(tally.already),
        tuple(tally.unchecked),
        (*dataset.by_hand, f"Homepage: {dataset.homepage}") if dataset.by_hand else (),
        dataset.layout,
        next_step,
    )


def check(
    name: str,
    *,
    root: Path | None = None,
    options: Mapping[str, str] | None = None,
    decode: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Compare a data set on disk with what is known of it: files, ids, label counts, and with `decode` every photo.

    `name` is a known data set or the path of a table. Raises UsageError for an unknown name or option; whatever is
    wrong with the data is in the report.
    """
    place = root or default_root(name)
    if not is_path(name) and find(name).read is None:
        return _check_files(find(name), place)
    return check_table(name, root=place, options=options or {}, decode=decode, progress=progress)


def _get_one(source: Source, *, home: Path, progress: Progress | None, keep: bool, pause: float, tally: _Tally) -> None:
    target = home / source.file
    there = target.is_file()
    if there:
        wrong = _mismatch(source, target)
        if wrong:
            raise DataError(f"{target} is already there, but {wrong}.", hint="Move it away and run it again.")
        tally.already.append(source.file)
    else:
        fetch(source, target=target, progress=progress, pause=pause)
        tally.fetched.append(source.file)
        if not source.checksum:
            tally.unchecked.append(source.file)
    if source.unpack:
        mark = _mark(home, source)
        mark.touch()  # stays until everything is unpacked, so that a broken unpacking is noticed and continued
        unpack(target, into=home / source.into, progress=progress)
        missing = [place for place in source.makes if not (home / place).exists()]
        if missing:
            raise DataError(
                f"{target}: unpacked, but {home / missing[0]} is not there.", hint="Is it the right archive?"
            )
        mark.unlink()
        if not there and not keep:
            target.unlink()


def _mark(home: Path, source: Source) -> Path:
    return home / f".{source.file}.unpacking"


def _unfinished(home: Path, source: Source) -> bool:
    return _mark(home, source).exists()


def _mismatch(source: Source, target: Path) -> str:
    size = target.stat().st_size
    if source.bytes and size != source.bytes:
        return f"it has {size:,} bytes, expected {source.bytes:,}"
    if source.checksum and digest(target, kind=source.checksum.partition(":")[0]) != source.checksum:
        return "its checksum is not the official one"
    return ""


def _with_mirrors(dataset: Dataset, mirrors: Mapping[str, tuple[str, ...]]) -> list[Source]:
    files = [source.file for source in dataset.sources]
    for file in mirrors:
        if file not in files:
            raise UsageError(
                f"{dataset.name} has no file '{file}'.{suggest(file, files)}",
                hint=f"Its files: {', '.join(files) or 'none'}.",
            )
    return [replace(source, urls=tuple(mirrors.get(source.file, source.urls))) for source in dataset.sources]


def _check_files(dataset: Dataset, home: Path | None) -> Report:
    report = Report(dataset.name, home)
    for source in dataset.sources:
        target = home / source.file if home else None
        if target is None or not target.is_file():
            report.error(f"{source.file} is missing", hint=f"clbench data get {dataset.name}")
        elif wrong := _mismatch(source, target):
            report.error(f"{source.file}: {wrong}", hint=f"Move it away, then: clbench data get {dataset.name}")
    if report.ok:
        report.fine(f"{len(dataset.sources)} files, checksums as published")
    return report
