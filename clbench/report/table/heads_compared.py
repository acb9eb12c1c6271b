"""The same method with one head after another: one shared feature for all labels against one of its own for each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clbench.records.machine import count_machines
from clbench.records.record import Record
from clbench.records.rows import Row, Stat
from clbench.records.store import record_scenario_id
from clbench.report.figures.draw import Bars
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import escape, grid_lines
from clbench.report.table.columns import ERROR, columns
from clbench.report.table.leaderboard import heading_of, sections
from clbench.report.table.rows import UNVERIFIED, changed_values, common_recipe, is_unverified

SHARED = ("linear", "maxpool", "gcn")
"""Heads of the suite that decide on one feature for all labels (OFML); every other one makes one per label (OFOL)."""

NUMBERS = ("average_map", "last_map", "forgetting", "parameters")
TITLES = (
    "Method",
    "Head",
    "Features",
    "Positions",
    "Seeds",
    "Avg. mAP",
    "Last mAP",
    "± images",
    "Forgetting",
    "Angle (°)",
    "Params",
    "Images/s",
)


DISPENSABLE = ("Positions", "Images/s", "Seeds", "Angle (°)", "Params", "± images")
"""Titles of columns that a narrow terminal does without, in this order."""


@dataclass(frozen=True)
class HeadRow:
    """One method with one head, over its seeds."""

    method: str
    """The strategy and the settings that all rows of the method share."""
    head: str
    shared: bool
    row: Row
    positions: int | None
    """Positions of the map that the head decides on, which its records note since they know it; None before."""
    angle: Stat | None
    """Mean angle in degrees between present labels' features and their classifiers, after the last session."""
    speed: float | None
    """Images per second of training over those of the method's linear head on the same machine; None without it."""
    error_images: Stat | None = None
    """Standard error of last mAP from the test images; None without score files."""
    unverified: bool = False
    """Whether verification found something wrong with a record of it."""

    def cells(self) -> list[str]:
        """Return the texts under `TITLES`."""
        known = columns("0.5")
        numbers = []
        for key in NUMBERS:
            found = self.row.over(known[key].read)
            spread = None if found is None or found.n < 2 else found.std
            numbers.append(known[key].text(None if found is None else found.mean, spread))
        angle = "–"
        if self.angle is not None:
            angle = f"{self.angle.mean:.1f}" + (f" ± {self.angle.std:.1f}" if self.angle.n > 1 else "")
        return [
            self.method,
            self.head + UNVERIFIED * self.unverified,
            "shared" if self.shared else "own",
            "–" if self.positions is None else str(self.positions),
            str(len(self.row.seeds)),
            *numbers[:2],
            "–" if self.error_images is None else ERROR.text(self.error_images.mean),
            numbers[2],
            angle,
            numbers[-1],
            "–" if self.speed is None else f"{self.speed:.2f}x",
        ]


@dataclass(frozen=True)
class HeadTable:
    """The methods of one scenario that ran with two heads or more."""

    scenario: str
    folder: str
    """Which folder of the results the rows lie in."""
    heading: str
    protocol: int
    rows: list[HeadRow]


def head_tables(
    records: Iterable[Record | Row],
    *,
    scenario: str = "",
    trust: Mapping[str, str] | None = None,
    errors: Mapping[str, float] | None = None,
) -> list[HeadTable]:
    """Return a table per set of rows that may be compared: methods that ran with several heads, best head first.

    Rows that `trust` calls unverified say so and stand below the others of their method.

    `errors`: a record's content digest to the standard error of its last mAP from the test images, where it is known.
    Source of the question: the abstract of DLFL (arXiv 2212.01461).
    """
    found: list[HeadTable] = []
    for rows, _ in sections(records, scenario=scenario):
        methods: dict[str, list[Row]] = {}
        for row in rows:
            methods.setdefault(_method_key(row), []).append(row)
        common = common_recipe(rows)
        compared = [
            _compared(group, common, trust or {}, errors or {})
            for group in methods.values()
            if len({r.first.strategy.head for r in group}) > 1
        ]
        known = {id(record) for table in found for row in table.rows for record in row.row.records}
        # a bound that saw the whole stream at once belongs to every table of its scenario; once is enough
        if any(id(record) not in known for group in compared for row in group for record in row.row.records):
            shown = [row for group in sorted(compared, key=_best) for row in group]
            first = rows[0].first
            about = (first.scenario.name, record_scenario_id(first), heading_of(rows[0]), first.protocol)
            found.append(HeadTable(*about, shown))
    return found


def grid_of(table: HeadTable) -> Grid:
    """Return a table as texts, for every format; without score files it has no column for the luck of the images."""
    cells = [row.cells() for row in table.rows]
    return plain_grid(TITLES, cells, sides="-" * len(TITLES), optional=[ERROR.title])


def markdown(tables: Sequence[HeadTable]) -> str:
    """Return the tables in Markdown, each under its heading."""
    return "\n".join(f"**{escape(t.heading)}**\n\n" + "\n".join(grid_lines(grid_of(t))) + "\n" for t in tables)


def latex(tables: Sequence[HeadTable]) -> str:
    """Return the tables in LaTeX."""
    return "\n".join(grid_table(grid_of(t), caption=t.heading, label=f"{t.folder}-heads") for t in tables)


def csv_text(tables: Sequence[HeadTable], errors: Mapping[str, float] | None = None) -> str:
    """Return one line per record in CSV: mAP, forgetting and `errors` as fractions, angles in degrees."""
    known = columns("0.5")
    about = ("table", "method", "head", "features", "positions", "seed")
    lines = (
        [
            *(table.heading, row.method, row.head, "shared" if row.shared else "own", noted_positions(record)),
            record.seed,
            *(known[key].read(record) for key in NUMBERS),
            None if (angle := last_angle(record)) is None else str(angle),
            _images_per_second(record),
            (errors or {}).get(record.content),
        ]
        for table in tables
        for row in table.rows
        for record in row.row.records
    )
    return as_csv([*about, *NUMBERS, "angle", "images_per_second", ERROR.key], lines, digits=6)


def bars(table: HeadTable) -> list[Bars]:
    """Return the panels of a table's figure: mAP after the last session and forgetting, in per cent and points."""
    heads = sorted({row.head for row in table.rows}, key=lambda head: (head not in SHARED, head))
    shared = {row.head: row.shared for row in table.rows}
    known = columns("0.5")
    panels = []
    for key, title in (("last_map", "mAP after the last session (%)"), ("forgetting", "Forgetting (points)")):
        found = {(row.method, row.head): row.row.over(known[key].read) for row in table.rows}
        values = {
            place: (100 * number.mean, 100 * (number.std if number.n > 1 else 0.0))
            for place, number in found.items()
            if number is not None and not math.isnan(number.mean)
        }
        methods = [
            method
            for method in dict.fromkeys(row.method for row in table.rows)
            if any(place[0] == method for place in values)
        ]
        panels.append(Bars(title, methods, heads, shared, values))
    return panels


def last_angle(record: Record) -> float | None:
    """Return the angle that the record notes for its last session, in degrees."""
    noted = record.notes.get("angle", "").split()
    try:
        return float(noted[-1]) if noted else None
    except ValueError:  # a session without a positive, or what somebody else noted under that name
        return None


def noted_positions(record: Record) -> int | None:
    """Return how many positions the map had that the head decided on; None where the record does not tell."""
    noted = record.notes.get("positions", "")
    return int(noted) if noted.isascii() and noted.isdigit() else None


def _method_key(row: Row) -> str:
    """Return what rows share that differ in nothing but the head."""
    first = row.first
    fields = {name: value for name, value in first.strategy.fields.items() if name not in ("head", "head_options")}
    return json.dumps([first.strategy.name, first.strategy.sha256, fields, first.train], sort_keys=True)


def _compared(
    group: list[Row], common: Mapping[str, Any], trust: Mapping[str, str], errors: Mapping[str, float]
) -> list[HeadRow]:
    linear = next((row for row in group if row.first.strategy.head == "linear"), None)
    ordered = sorted(group, key=lambda row: (is_unverified(row, trust), -_last_map(row)))
    return [
        HeadRow(
            method=_method_name(row, common),
            head=row.first.strategy.head,
            shared=row.first.strategy.head in SHARED,
            row=row,
            positions=next(filter(None, map(noted_positions, row.records)), None),
            angle=row.over(last_angle),
            speed=_speed(row, beside=linear),
            error_images=row.over(lambda record: errors.get(record.content)),
            unverified=is_unverified(row, trust),
        )
        for row in ordered
    ]


def _method_name(row: Row, common: Mapping[str, Any]) -> str:
    changed = changed_values(row, common)
    settings = [f"{name}={value}" for name, value in changed.items() if name != "head_options"]
    return row.first.strategy.name + (f" ({', '.join(settings)})" if settings else "")


def _last_map(row: Row) -> float:
    found = row.stat("last_map")
    return -math.inf if found is None else found.mean


def _best(group: list[HeadRow]) -> tuple[bool, float]:
    return group[0].unverified, -_last_map(group[0].row)


def _images_per_second(record: Record) -> float:
    seen = sum(cost.images_seen for cost in record.costs)
    return seen / max(math.fsum(part.train_seconds for part in record.times.sessions), 1e-9)


def _speed(row: Row, *, beside: Row | None) -> float | None:
    """Return the ratio of medians over the seeds; a clock of another machine says nothing."""
    if beside is None or count_machines((*row.records, *beside.records)) != 1:
        return None
    own, linear = (sorted(_images_per_second(record) for record in r.records) for r in (row, beside))
    return own[len(own) // 2] / linear[len(linear) // 2]
