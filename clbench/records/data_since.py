"""Whether the data on this machine are still those of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from msgspec import UNSET

from clbench.data.datasets.registry import read_table
from clbench.data.pictures.photo_digest import pictures_digest, sampled_text
from clbench.errors import ClbenchError, DataError
from clbench.plan import catalog
from clbench.plan.source import DataSource, find_source
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.records.schema import DataPart
from clbench.spec.orders import load_in_order


def changed_since(record: Record, *, scenario: str = "", data: Path | None = None) -> str:
    """Return what of a record's data is another on this machine now, as the end of a sentence; empty where nothing is.

    `scenario` is the file of its scenario where that is not found by its name, `data` the folder of the data set.
    Empty too where the data are not here, or lie where only these would find them.
    """
    about = record.scenario
    if about.stand_in or about.dataset == "scenes":
        return ""
    source = _source(scenario or about.name, about.digest, order_of(record), data)
    if source is None:
        return ""
    return difference(about.data, source.dataset, root=source.root, options=source.options)


def changes_since(records: Sequence[Record], *, scenario: str = "", data: Path | None = None) -> list[str]:
    """Return what `changed_since` says of each record, asked once for all of one scenario on the same data."""
    keys = [(r.scenario.name, r.scenario.digest, r.scenario.data.digest, r.scenario.data.photos) for r in records]
    firsts = dict(zip(keys, records, strict=True))
    told = {key: changed_since(record, scenario=scenario, data=data) for key, record in firsts.items()}
    return [told[key] for key in keys]


def sampled(records: Sequence[Record], *, scenario: str = "", data: Path | None = None) -> list[str]:
    """Return for each record how its photos were compared, where they are here and too many to be read; else empty.

    Where nothing is said to have changed, that is what was looked at. `scenario` and `data` as for `changed_since`.
    """
    keys = [(scenario or r.scenario.name, r.scenario.digest, order_of(r)) if _has_photos(r) else None for r in records]
    told = {key: _sampled(*key, data=data) if key else "" for key in dict.fromkeys(keys)}
    return [told[key] for key in keys]


def _has_photos(record: Record) -> bool:
    return record.scenario.data.photos is not UNSET and not record.scenario.stand_in


def _sampled(scenario: str, digest: str, order: str, *, data: Path | None) -> str:
    with suppress(ClbenchError):
        source = _source(scenario, digest, order, data)
        return sampled_of(source.dataset, root=source.root, options=source.options) if source else ""
    return ""


def sampled_of(dataset: str, *, root: Path | None, options: Mapping[str, str]) -> str:
    """Return what of the data's photos is compared with a record's digest, empty where it is all of them.

    Raises UsageError or DataError.
    """
    if root is None or options.get("features"):
        return ""
    text = sampled_text(len(read_table(dataset, root=root, options=options, photos=False)))
    return f"{Path(dataset).name}: {text}, was compared" if text else ""


def difference(told: DataPart, dataset: str, *, root: Path | None, options: Mapping[str, str]) -> str:
    """Return what of the data that a record tells of is another than that here, as the end of a sentence."""
    try:
        here = data_here(dataset, root=root, options=options)
    except DataError as error:
        return f"its data can no longer be read: {error.message}"
    if told.digest != here.digest:
        return "the labels of its data were changed since"
    if UNSET not in (told.photos, here.photos) and told.photos != here.photos:
        return "the photos of its data were changed since"
    return ""


def data_here(dataset: str, *, root: Path | None, options: Mapping[str, str]) -> DataPart:
    """Return what a record would say of the data here. Raises DataError where the labels cannot be read."""
    try:
        table = read_table(dataset, root=root, options=options)
    except DataError:  # photos are missing
        table = read_table(dataset, root=root, options=options, photos=False)
    photos = pictures_digest(table, dataset=dataset, root=root, options=options)
    return DataPart(name=table.name, revision=table.revision, digest=table.digest(), photos=photos or UNSET)


@lru_cache(maxsize=64)
def _source(scenario: str, digest: str, order: str, data: Path | None = None) -> DataSource | None:
    try:
        entry = catalog.find_scenario(scenario)
        spec = load_in_order(entry.path, order)
        source = find_source(spec, path=entry.path, data=data)
    except ClbenchError:
        return None
    # another version of the scenario may name other data
    return None if source.stand_in or spec.digest() != digest else source
