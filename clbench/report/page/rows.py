"""One line of the page's leaderboard: its numbers, its curves, its AP matrices, and where all of them come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UnsetType

from clbench.records.orders import shown_order
from clbench.records.record import Record
from clbench.records.rows import Row, Stat, is_static
from clbench.records.verify.findings import LEVELS
from clbench.report.figures import curves, style
from clbench.report.page.shared_values import Pool
from clbench.report.table.columns import MEASURED, RULES, Column, columns
from clbench.report.table.model import Table, TableRow

DIGITS = 6
"""Decimals of fractions in the page; AP matrices have four."""


def all_columns(measured: Iterable[str] = (), *, rules: Iterable[str] = RULES) -> dict[str, Column]:
    """Return every number column of the page by key, the F1 figures once per decision rule, as `of1@0.5`."""
    keys = tuple(measured)
    found: dict[str, Column] = {}
    for rule in rules:
        for key, column in columns(rule, measured=keys).items():
            found[f"{key}@{rule}" if column.decided else key] = column
    return found


def page_rows(
    table: Table,
    rows: Sequence[Row],
    *,
    known: dict[str, Column],
    pool: Pool,
    galleries: dict[str, list[dict[str, Any]]],
    methods: Mapping[str, Mapping[str, str]],
    found_wrong: Mapping[str, Sequence[str]],
    decided: Mapping[str, Sequence[curves.Line]],
) -> Any:
    """Return the rows of one table, in its order; long values go to `pool`, `known` are the columns of `all_columns`.

    `galleries` maps a record's content digest to the pictures kept beside it, `methods` the digest of a strategy's file
    to what the file says of its source, `found_wrong` a record's content digest to what verification found. `decided`
    are lines over the threshold, as `from_scores.over_thresholds` gives them.
    """
    lines = _lines(rows, decided)
    left = list(range(len(rows)))
    found = []
    for line in table.rows:
        place = next(i for i in left if _same(rows[i], line))
        left.remove(place)
        row = rows[place]
        found.append(
            _identity(table, line, row)
            | lines[place]
            | _numbers(line, row, known)
            | _provenance(row, pool)
            | {"method": pool.place(dict(methods.get(row.first.strategy.sha256, {})))}
            | {"ap": {name: _matrix(row, name) for name in ("growing", "fixed")}}
            | {"gallery": [picture for record in row.records for picture in galleries.get(record.content, [])]}
            | {"found": [[_which(row, r), text] for r in row.records for text in found_wrong.get(r.content, ())]}
        )
    return found


def rounded(values: Iterable[float]) -> list[float | None]:
    """Return numbers as the page keeps them, None for NaN."""
    return [None if math.isnan(value) else round(float(value), DIGITS) for value in values]


def _which(row: Row, record: Record) -> str:
    """Return which of a row's records one is."""
    return f"seed {record.seed}" + (f", {shown_order(record)} order" if len(row.orders) > 1 else "")


def _same(row: Row, line: TableRow) -> bool:
    return row.first.configuration == line.configuration and list(row.seeds) == line.seeds


def _identity(table: Table, line: TableRow, row: Row) -> dict[str, Any]:
    return {
        "id": f"{table.slug}/{line.strategy}/{line.configuration[:8]}",
        "strategy": line.strategy,
        "title": line.title,
        "head": line.head,
        "settings": line.settings,
        "changed": sorted(line.changed),
        "seeds": line.seeds,
        "units": list(row.orders) if len(row.orders) > 1 else list(map(str, line.seeds)),
        "first": "" if isinstance(line.first, UnsetType) else f"{line.first} of {len(row.orders)}",
        "marks": line.marks,
        "trust": line.trust,
        "track": line.track,
        "configuration": line.configuration,
        "bound": line.rank is None and "upper-bound" in line.marks,
        "wrong": line.rank is None and line.trust == LEVELS[0],
        "static": is_static(row.first),
    }


def _lines(rows: Sequence[Row], decided: Mapping[str, Sequence[curves.Line]]) -> list[dict[str, Any]]:
    """Return per row its name in legends, its look, its point of the trade-off, and its curves: [mean, std]."""
    found: list[dict[str, Any]] = []
    for name, strategy, variant in curves.names(rows):
        look = style.look(strategy, variant=variant)
        shown = [look.colour, look.marker, _dashes(look.dash)]
        found.append({"name": name, "look": shown, "curves": {}, "tradeoff": None})
    drawn: dict[str, Sequence[curves.Line]] = {
        "growing": curves.map_curves(rows, test_set="growing"),
        "fixed": curves.map_curves(rows, test_set="fixed"),
        "forgetting": curves.forgetting_curves(rows),
        **curves.group_curves(rows),
        **decided,
    }
    places = {(strategy, variant): place for place, (_, strategy, variant) in enumerate(curves.names(rows))}
    for kind, lines in drawn.items():
        for line in lines:
            own = found[places[line.strategy, line.variant]]
            own["curves"][kind] = [rounded(line.mean), rounded(line.std)]
    for point in curves.tradeoff(rows):
        own = found[places[point.strategy, point.variant]]
        own["tradeoff"] = [rounded([point.x, point.x_std]), rounded([point.y, point.y_std])]
    return found


def _dashes(dash: Any) -> list[float]:
    """Return matplotlib's dash pattern as lengths in line widths; empty for a solid line."""
    return [] if dash == "-" else [float(length) for length in dash[1]]


def _numbers(line: TableRow, row: Row, known: dict[str, Column]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    per_seed: dict[str, Any] = {}
    for key, column in known.items():
        stat = row.over(column.read)
        if key == "gap" or key in MEASURED:  # known to the table alone, which has the joint row and the score files
            cell = line.cells[key]
            cells[key] = None if cell.mean is None else rounded([cell.mean, math.nan if cell.std is None else cell.std])
        else:
            cells[key] = _cell(stat)
            per_seed[key] = rounded(stat.values) if stat else None
    return {"cells": cells, "perSeed": per_seed}


def _cell(stat: Stat | None) -> list[float | None] | None:
    return None if stat is None else rounded([stat.mean, stat.std])


def _matrix(row: Row, test_set: str) -> list[list[int | None]]:
    """Return the mean AP matrix in units of 1/10,000, per session only the labels seen by then; none of several orders.

    A label comes in another session in each of them.
    """
    if len(row.orders) > 1:
        return []
    stack = np.array([getattr(record.ap, test_set) for record in row.records], dtype=np.float64)
    mean = stack.mean(axis=0)
    seen = np.searchsorted(np.array(row.first.learned), np.arange(len(mean)), side="right")
    return [_units(values[:count]) for values, count in zip(mean, seen, strict=True)]


def _units(values: npt.NDArray[np.float64]) -> list[int | None]:
    return [None if math.isnan(value) else round(10_000 * float(value)) for value in values]


def _provenance(row: Row, pool: Pool) -> dict[str, Any]:
    first, records = row.first, row.records
    strategy = first.strategy
    return {
        "fields": pool.place(strategy.fields),
        "ownChanges": sorted(strategy.changed),
        "train": pool.place(first.train),
        "labels": pool.place({"names": first.labels, "learned": first.learned}),
        "costs": pool.place(msgspec.to_builtins(first.costs)),
        "environment": pool.place(_shared(records, lambda record: dict(record.environment))),
        "notes": pool.place(dict(first.notes)),
        "origin": strategy.origin,
        "sha256": strategy.sha256,
        "code": [_code(record) for record in _unlike(records, _code)],
        "finished": [max(record.times.finished for record in unit) for unit in row.units],
        "seconds": rounded(math.fsum(record.times.total_seconds for record in unit) for unit in row.units),
        "content": [" ".join(record.content[:12] for record in unit) for unit in row.units],
        "stream": msgspec.to_builtins(first.scenario.stream) if len(row.orders) == 1 else {},
    }


def _code(record: Record) -> str:
    code = record.code
    changed = {True: " (dirty)", None: " (perhaps dirty)"}.get(code.dirty, "")
    return f"clbench {code.version}, commit {code.commit[:12] or 'unknown'}{changed}"


def _unlike(records: Sequence[Record], read: Any) -> list[Record]:
    """Return one record per distinct value of `read`."""
    found = {read(record): record for record in reversed(records)}
    return [record for record in records if found[read(record)] is record]


def _shared(records: Sequence[Record], read: Any) -> dict[str, Any]:
    """Return a mapping in which a value that differs between the seeds is the list of the different ones."""
    every: dict[str, list[Any]] = {}
    for record in records:
        for key, value in read(record).items():
            if value not in every.setdefault(key, []):
                every[key].append(value)
    return {key: values[0] if len(values) == 1 else ", ".join(map(str, values)) for key, values in every.items()}
