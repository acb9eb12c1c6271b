"""Verification of the records that a command names: consistent in themselves, or scored again on their stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from clbench.data.datasets.registry import open_table
from clbench.errors import DataError, ResultsError, UsageError
from clbench.plan import catalog
from clbench.plan.source import DataSource, find_source, stand_in_source
from clbench.records.collection import reference_folder
from clbench.records.data_since import data_here
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.records.verify.findings import Finding, Verification
from clbench.records.verify.verify import verify, verify_all, verify_scores
from clbench.spec.orders import load_in_order
from clbench.spec.scenario import ScenarioSpec
from clbench.stream.build import build_stream
from clbench.stream.merged_sessions import accumulated
from clbench.stream.stream import Stream


def verifications(
    given: Sequence[Path],
    *,
    results: Path,
    reference: bool | None = None,
    scores: bool = False,
    data: Path | None = None,
    scenario: Path | None = None,
) -> Iterator[Verification]:
    """Yield the verification of the records named, of those below named folders, or without any of all in `results`.

    `reference` says whether those that clbench ships follow; None means: where `results` has none.

    With `scores`, every AP and count is computed again from the score files; `data` is the folder of the data set that
    the records ran on, `scenario` the file of their scenario where it is not found by name; without one it is the copy
    that a run leaves beside its scores. A record whose scenario or data are not here says so in `unscored`. Raises
    ResultsError when there is no record.
    """
    firsts = list(_firsts(given, results=results, reference=reference))
    if not firsts:
        raise ResultsError(f"{given[0] if given else results}: there are no records in it.")
    for first in firsts:
        yield _rescored(first, data=data, scenario=scenario) if scores and first.ok else first


def _firsts(given: Sequence[Path], *, results: Path, reference: bool | None) -> Iterator[Verification]:
    for path in given:
        if path.is_dir():
            yield from map(verify, sorted(path.rglob("seed*.json")))
        elif path.is_file():
            yield verify(path)
        else:
            raise ResultsError(f"{path}: there is no such record or folder.")
    if not given:
        own = verify_all(results) if results.is_dir() or not reference else []
        yield from own
        shipped = reference_folder(results)
        if shipped is not None and (reference or (reference is None and not own)):
            yield from verify_all(shipped)


def _rescored(first: Verification, *, data: Path | None, scenario: Path | None) -> Verification:
    record, path = first.record, first.path
    assert record is not None
    assert path is not None
    copy = None if scenario else _copy_beside(path, record)
    scenario = scenario or copy
    try:
        stream = stream_of(record, data=data, scenario=scenario)
        wrong = [*other_stream(record, stream), *_other_photos(record, data=data, scenario=scenario)]
    except (UsageError, DataError) as error:
        return dataclasses.replace(first, unscored=error, copy=copy)
    if wrong:
        return Verification(path, "unverified", tuple(wrong), record, copy=copy)
    found = verify_scores(path, truth=stream.read_truth(stream.test_rows), tests=tested_places(record, stream))
    return dataclasses.replace(found, copy=copy)


def _copy_beside(path: Path, record: Record) -> Path | None:
    """Return the scenario's file that a run left beside its scores, where no scenario of the record's name is here.

    It is data, whoever wrote it, and counts only with the digest that the record names.
    """
    try:
        catalog.find_scenario(record.scenario.name)
    except UsageError:
        copy = path.with_suffix("") / f"{record.scenario.name}.yaml"
        return copy if copy.is_file() else None
    return None


def stream_of(record: Record, *, data: Path | None = None, scenario: Path | None = None) -> Stream:
    """Return the stream of a record's scenario, from the data here. Raises UsageError or DataError without them.

    The scenario is the one of that name, or in the file `scenario`.
    """
    about = record.scenario
    return _stream(
        str(scenario or about.name), about.digest, order=order_of(record), stand_in=about.stand_in, data=data
    )


def tested_places(record: Record, stream: Stream) -> list[npt.NDArray[np.int64]]:
    """Return, per session of the record, the positions of the growing test set within the fixed one.

    Each is [n], n images of that session's test set.
    """
    # what saw everything in one session was tested on everything
    static = len(record.scenario.sessions) == 1
    growing = [stream.test_rows] if static else [session.test_rows for session in stream.sessions]
    return [np.flatnonzero(np.isin(stream.test_rows, rows)) for rows in growing]


def _is_digest_of(stream: Stream, labels: str) -> bool:
    """Return whether `labels` is the stream's digest, or of what a strategy sees that meets all images so far again."""
    return labels == stream.digest().labels or labels == accumulated(stream).digest().labels


def other_stream(record: Record, stream: Stream) -> Iterator[Finding]:
    """Yield where the record's stream is not the one that its scenario gives here."""
    told = record.scenario
    if told.data.digest != stream.table.digest():
        yield Finding("scenario.data.digest", "is not the digest of the data here")
    if record.labels != list(stream.labels):
        yield Finding("labels", "are not those of the stream here, in its order")
    if len(told.sessions) > 1 and not _is_digest_of(stream, told.stream.labels):
        yield Finding("scenario.stream.labels", "is not the digest of the stream here")


def _other_photos(record: Record, *, data: Path | None, scenario: Path | None) -> Iterator[Finding]:
    about = record.scenario
    if about.data.photos is UNSET or about.stand_in:
        return
    name, order = str(scenario or about.name), order_of(record)
    _, source = _spec_and_source(name, about.digest, order=order, stand_in=False, data=data)
    here = data_here(source.dataset, root=source.root, options=source.options).photos
    if here not in (UNSET, about.data.photos):  # labels are enough to score again where there are no photos at all
        yield Finding("scenario.data.photos", f"is not the digest of the photos here: {source.root}")


@lru_cache(maxsize=2)
def _stream(name: str, digest: str, *, order: str, stand_in: bool, data: Path | None) -> Stream:
    spec, source = _spec_and_source(name, digest, order=order, stand_in=stand_in, data=data)
    table = open_table(source.dataset, root=source.root, options=source.options, photos=False)
    return build_stream(table, spec)


def _spec_and_source(
    name: str, digest: str, *, order: str, stand_in: bool, data: Path | None
) -> tuple[ScenarioSpec, DataSource]:
    entry = catalog.find_scenario(name)
    spec = load_in_order(entry.path, order)
    if spec.digest() != digest:
        raise UsageError(
            f"{entry.path} is not the scenario of the record: its digest is {spec.digest()[:12]}, not {digest[:12]}.",
            hint="Score the record again with the version of the scenario that it ran on.",
        )
    source = stand_in_source(spec) if stand_in else find_source(spec, path=entry.path, data=data)
    if source.stand_in != stand_in:
        raise UsageError(
            f"{name}: the record ran on {spec.dataset}, which is not on this machine.",
            hint=f"Name its folder: --data FOLDER, or clbench data get {spec.dataset}",
        )
    return spec, source
