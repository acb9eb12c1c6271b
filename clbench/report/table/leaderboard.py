"""The leaderboard: one table per group of comparable rows, ranked by a rule that is printed with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from clbench import PROTOCOL
from clbench.errors import UsageError
from clbench.files.yaml_text import digest
from clbench.metrics.without_ap import told_without_ap
from clbench.records.machine import count_machines
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.records.rows import Row, comparable_groups, group_rows, why_not
from clbench.records.rows_over_orders import OrdersRow, order_rank, times_first
from clbench.records.store import is_unpinned_id, record_scenario_id
from clbench.report.table.beside_printed import told_threshold
from clbench.report.table.columns import RULES, SMALL, Column, Measured, column, columns
from clbench.report.table.model import Leaderboard, Table, TableRow
from clbench.report.table.published import printed_for
from clbench.report.table.ranking import RULE
from clbench.report.table.rows import table_rows, track_name

__all__ = ["heading_of", "leaderboard", "sections"]


def leaderboard(
    records: Iterable[Record | Row],
    *,
    scenario: str = "",
    sort: str = "",
    threshold: str = "0.5",
    trust: Mapping[str, str] | None = None,
    published: bool = True,
    digits: int = 1,
    measured: Measured | None = None,
) -> Leaderboard:
    """Return the leaderboard of `records` (or rows), of one scenario or of all.

    `sort` is the column that orders and ranks; empty means Avg. mAP, or last mAP where the stream begins with fewer
    labels than `columns.SMALL`. `threshold` is the decision rule of the F1 columns (0.5, 0.8, top3); empty means that
    of the printed numbers where all have one, else 0.5. `trust` maps a record's content digest to the level that
    verification gave it; without an entry a record is `unverified`. `published` adds the numbers printed in papers.
    `digits` are the decimals of per cent, 1 or 2. `measured` has what score files tell, by column and content digest.
    Raises UsageError for an unknown column, rule or number of digits.
    """
    if digits not in (1, 2):
        raise UsageError(f"digits: {digits} decimals of per cent are not offered.", hint="Choose 1 or 2.")
    found = sections(records, scenario=scenario)
    threshold = threshold or (_printed_threshold(found) if published else "") or "0.5"
    known = columns(threshold, measured=measured or ())
    asked = column(sort or "average_map", threshold=threshold, measured=measured or ())
    tables: list[Table] = []
    with_printed: set[str] = set()
    for rows, apart in found:
        first, track, shipped = rows[0].first, track_name(rows[0]), rows[0].reference
        about = first.scenario
        beside = published and not (apart or about.stand_in or about.name in with_printed)
        with_printed |= {about.name} if beside else set()
        small = begins_with(rows) < SMALL and not sort
        by = known["last_map"] if small else asked
        tables.append(
            Table(
                scenario=about.name,
                version=about.version,
                title=about.title,
                heading=heading_of(rows[0]),
                folder=record_scenario_id(first),
                slug=record_scenario_id(first)
                + (f"-{_identity(rows[0])[:6]}" if apart else "")
                + ("-reference" if shipped else ""),
                apart=apart,
                dataset=about.dataset,
                stand_in=about.stand_in,
                digest=about.digest,
                protocol=first.protocol,
                track=track,
                rows=_with_firsts(
                    table_rows(
                        rows,
                        by=by,
                        known=known,
                        trust=trust or {},
                        digits=digits,
                        printed=printed_for(about.name) if published else [],
                        measured=measured,
                        plain=("average_map",) if small else (),
                    ),
                    rows,
                    by,
                ),
                printed=printed_for(about.name) if beside else [],
                reference=shipped or UNSET,
                sort="last_map" if small else UNSET,
                tested=first.scenario.sessions[-1].test_images,
                without_ap=_without_ap(first) or UNSET,
                orders=list(rows[0].orders) if len(rows[0].orders) > 1 else UNSET,
                machines=several if (several := count_machines(r for row in rows for r in row.records)) > 1 else UNSET,
            )
        )
    return Leaderboard(asked.key, asked.title, threshold, digits, RULE, tables, measured=list(measured or ()) or UNSET)


def _without_ap(record: Record) -> str:
    """Return which labels have no AP after the last session, when all of them were learned."""
    names = [label for label, value in zip(record.labels, record.ap.fixed[-1], strict=True) if value is None]
    return told_without_ap(names, labels=len(record.labels))


def _with_firsts(lines: list[TableRow], rows: Iterable[Row], by: Column) -> list[TableRow]:
    """Return the lines of a table over class orders with how often each is first among those that have a rank."""
    known = {row.first.configuration: row for row in rows if isinstance(row, OrdersRow)}
    ranked = [line for line in lines if line.rank is not None and line.configuration in known]
    if not ranked:
        return lines
    counts = times_first([known[line.configuration] for line in ranked], by.read, higher_is_better=by.higher_is_better)
    told = {line.configuration: count for line, count in zip(ranked, counts, strict=True)}
    return [msgspec.structs.replace(line, first=told.get(line.configuration, UNSET)) for line in lines]


def begins_with(rows: Iterable[Row]) -> int:
    """Return with how many labels the stream of a table begins; what saw all in one session says nothing of it."""
    counts = [len(row.first.scenario.sessions[0].labels) for row in rows if len(row.first.scenario.sessions) > 1]
    return min(counts, default=SMALL)


def _printed_threshold(found: Iterable[tuple[list[Row], str]]) -> str:
    """Return the decision rule of the numbers that are printed for one scenario on its own data, or nothing."""
    names = {rows[0].first.scenario.name for rows, _ in found}
    own = [rows[0] for rows, _ in found if not rows[0].first.scenario.stand_in and not _is_unpinned(rows[0])]
    told = told_threshold(printed_for(names.pop())) if len(names) == 1 and own else ""
    return told if told in RULES else ""


def heading_of(row: Row) -> str:
    """Return what the table of a row is called."""
    about = row.first.scenario
    where = f" on the stand-in {about.dataset}" if about.stand_in else ""
    where += " on data other than the pinned" if _is_unpinned(row) else ""
    where += f", protocol {row.first.protocol}" if row.first.protocol != PROTOCOL else ""
    if len(row.orders) > 1:
        where += f", mean of {len(row.orders)} class orders"
    elif order_of(row.first):
        where += f", {order_of(row.first)} order"
    return f"{about.name} v{about.version}{where}" + (", reference rows" if row.reference else "")


def _is_unpinned(row: Row) -> bool:
    return is_unpinned_id(record_scenario_id(row.first))


def sections(records: Iterable[Record | Row], *, scenario: str = "") -> list[tuple[list[Row], str]]:
    """Return rows that may stand in one table, and why they are apart from the scenario's table before.

    Reference rows have tables of their own, after all others.
    """
    items = list(records)
    rows = [item for item in items if isinstance(item, Row)]
    rows += group_rows(item for item in items if isinstance(item, Record))
    chosen = [row for row in rows if scenario in ("", row.first.scenario.name)]
    return [found for shipped in (False, True) for found in _sections([r for r in chosen if r.reference is shipped])]


def _sections(chosen: list[Row]) -> list[tuple[list[Row], str]]:
    found: list[tuple[list[Row], str]] = []
    above: dict[str, Row] = {}
    for group in sorted(comparable_groups(chosen), key=_importance):
        tracks: dict[str, list[Row]] = {}
        for row in group:
            tracks.setdefault(track_name(row), []).append(row)
        for members in sorted(tracks.values(), key=len, reverse=True):
            name = members[0].first.scenario.name
            found.append((members, _reason(above[name], members[0]) if name in above else ""))
            above[name] = members[0]
    return found


def _importance(group: list[Row]) -> tuple[Any, ...]:
    """Scenarios by name; within one, pinned data first, real before generated, newest version and protocol, fullest."""
    first = group[0].first
    about, size = first.scenario, len(group)
    data = (about.name, _is_unpinned(group[0]), about.stand_in, -about.version, -first.protocol)
    orders = group[0].orders  # the scenario's own before means of several, and these before another one
    apart = len(orders) > 1 or order_of(first) != ""
    return (*data, apart, -len(orders), order_rank(order_of(first)), -size, about.digest)


def _identity(row: Row) -> str:
    about = row.first.scenario
    told = [about.digest, msgspec.to_builtins(about.stream), row.first.protocol, track_name(row)]
    return digest([*told, *row.orders] if len(row.orders) > 1 else told)


def _reason(leader: Row, row: Row) -> str:
    pretraining = f"the pretraining differs ({track_name(leader)} against {track_name(row)})"
    return why_not(leader, row) or pretraining
