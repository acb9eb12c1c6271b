"""Several scenarios in one table, as papers have it: a line per method, Avg. and last mAP of each scenario."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, UnsetType

from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Field, Grid
from clbench.report.formats.latex import NEEDS, below, escape, fitted, label_command, letter
from clbench.report.formats.markdown import grid_lines, quoted
from clbench.report.table.columns import ERROR
from clbench.report.table.model import Cell, Leaderboard, Table

COLUMNS = ("average_map", "last_map")
"""What is shown of each scenario unless columns are chosen, beside how far the test images leave last mAP open."""


_OF_TABLES = ("stand-in", "unpinned")
"""Marks that all rows of a scenario bear; its heading says it."""


@dataclass(frozen=True)
class Line:
    """A method over scenarios: its cells by (table's heading, column), and its marks."""

    strategy: str
    head: str
    settings: str
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    seeds: set[int] = field(default_factory=set)
    marks: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Across:
    """Several scenarios in one table. `tables` are those that the columns belong to."""

    board: Leaderboard
    tables: list[Table]
    keys: list[str]
    lines: list[Line]

    @property
    def grid(self) -> Grid:
        """The table as texts, for terminals and Markdown."""
        headings = [("Strategy", ""), ("Head", ""), ("Settings", ""), ("Seeds", "")]
        headings += [(f"{table.scenario} {self.board.title(key)}", key) for table in self.tables for key in self.keys]
        headings.append(("Marks", ""))
        rows = [
            [
                *(Field(text or "–") for text in (line.strategy, line.head, line.settings, _span(line.seeds))),
                *(self.cell(line, table, key) for table in self.tables for key in self.keys),
                Field(", ".join(line.marks) or "–"),
            ]
            for line in self.lines
        ]
        keep = [place for place in range(len(headings)) if place != 2 or any(line.settings for line in self.lines)]
        keep = [place for place in keep if place != len(headings) - 1 or any(line.marks for line in self.lines)]
        return Grid([headings[place] for place in keep], [[row[place] for place in keep] for row in rows])

    def cell(self, line: Line, table: Table, key: str) -> Field:
        """Return one cell as text."""
        cell = line.cells.get((table.heading, key), Cell(None, None))
        return Field(self.board.known[key].text(cell.mean, cell.std, digits=self.board.digits), cell.best)

    def notes(self) -> list[str]:
        """Return what a reader must know before reading the table."""
        found = []
        for table in self.tables:
            tested = f", tested on {table.tested:,} images" if isinstance(table.tested, int) else ""
            shipped = ", rows that clbench ships" if table.reference is True else ""
            found.append(f"{table.heading} (pretraining: {table.track}{tested}{shipped}): {table.title}")
        found.append(
            "Lines go by their mean. A method that runs once in every scenario has one line, whatever its settings "
            "there (a | b)."
        )
        if ERROR.key in self.keys:
            found.append(f"{ERROR.title}: standard error of Last mAP from the luck of the test images.")
        return found


def together(boards: Sequence[Leaderboard]) -> Leaderboard:
    """Return the tables of leaderboards of one kind as one leaderboard, F1 at the rule of the first."""
    known = [key for board in boards if not isinstance(board.measured, UnsetType) for key in board.measured]
    tables = [table for board in boards for table in board.tables]
    return msgspec.structs.replace(boards[0], tables=tables, measured=list(dict.fromkeys(known)) or UNSET)


def usual_columns(board: Leaderboard) -> tuple[str, ...]:
    """Return what is shown of each scenario unless columns are chosen."""
    cells = [row.cells.get(ERROR.key) for table in board.tables for row in table.rows]
    return (*COLUMNS, ERROR.key) if any(cell and cell.mean is not None for cell in cells) else COLUMNS


def across(board: Leaderboard, scenarios: Sequence[str], *, keys: Sequence[str] = COLUMNS) -> Across:
    """Return the first table of each scenario of a leaderboard side by side, in the order of `scenarios`.

    A scenario's first table is that of its newest version on the pinned data; rows that are apart from it are left out.
    A method that every scenario has once makes one line whatever its settings there; one with several configurations in
    a scenario makes a line for each. Lines go by the mean of the first of `keys` over scenarios, those that lack one
    below; upper bounds stay first where they are best and are never bold.
    """
    first: dict[str, Table] = {}
    for table in board.tables:
        if table.rows:
            first.setdefault(table.scenario, table)
    tables = [first[name] for name in dict.fromkeys(scenarios) if name in first]
    several = {
        method
        for table in tables
        for method, count in Counter((row.strategy, row.head) for row in table.rows).items()
        if count > 1
    }
    settings: dict[tuple[str, str], list[str]] = {}
    for row in (row for table in tables for row in table.rows):
        settings.setdefault((row.strategy, row.head), []).append(row.settings)
    lines: dict[tuple[str, str, str], Line] = {}
    for table in tables:
        for row in table.rows:
            method = (row.strategy, row.head)
            met = dict.fromkeys(settings[method])
            key = (*method, row.settings if method in several or len(met) == 1 else _either(met))
            line = lines.setdefault(key, Line(*key))
            line.seeds.add(len(row.seeds))
            line.marks.update(dict.fromkeys(mark for mark in row.marks if mark not in _OF_TABLES))
            line.cells.update({(table.heading, name): row.cells[name] for name in keys if name in row.cells})
    higher = board.known[keys[0]].higher_is_better

    def place(line: Line) -> tuple[int, float]:
        told = [
            cell.mean
            for table in tables
            if (cell := line.cells.get((table.heading, keys[0]))) and cell.mean is not None
        ]
        mean = math.fsum(told) / len(told) if told else 0.0
        return (-len(told), -mean if higher else mean)

    return Across(board, tables, list(keys), sorted(lines.values(), key=place))


def markdown(table: Across) -> str:
    """Return the table with its notes as Markdown."""
    return "\n".join([*quoted(table.notes()), "", *grid_lines(table.grid)]) + "\n"


def csv_text(table: Across) -> str:
    """Return the table as CSV, a line per method and scenario with means as fractions and their `_std`."""
    names = ["scenario", "version", "dataset", "track", "strategy", "head", "settings"]
    numbers = [f"{key}{end}" for key in table.keys for end in ("", "_std")]
    rows = []
    for line in table.lines:
        for one in table.tables:
            cells = [line.cells.get((one.heading, key)) for key in table.keys]
            if any(cells):
                told = [value for cell in cells for value in ((cell.mean, cell.std) if cell else (None, None))]
                about = [one.scenario, one.version, one.dataset, one.track, line.strategy, line.head, line.settings]
                rows.append([*about, *told, " ".join(line.marks)])
    return as_csv([*names, *numbers, "marks"], rows)


def latex(table: Across) -> str:
    """Return the table as a `table*`, scenarios over their columns; what it needs stands above it."""
    keys, board = table.keys, table.board
    heads = [escape(board.title(key).removesuffix(" mAP") if len(keys) < 4 else board.title(key)) for key in keys]
    spans = ["", ""] + [rf"\multicolumn{{{len(keys)}}}{{c}}{{{escape(one.scenario)}}}" for one in table.tables]
    rules = [rf"\cmidrule(lr){{{3 + len(keys) * n}-{2 + len(keys) * (n + 1)}}}" for n in range(len(table.tables))]
    lines = [
        NEEDS,
        r"\begin{table*}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{escape(' '.join(text if text.endswith('.') else text + '.' for text in table.notes()))}}}",
        label_command("across", *(one.scenario for one in table.tables)),
    ]
    tabular = [
        rf"\begin{{tabular}}{{@{{}}ll{'r' * len(keys) * len(table.tables)}@{{}}}}",
        r"\toprule",
        " & ".join(spans) + r" \\",
        "".join(rules),
        " & ".join(["Strategy", "Head", *heads * len(table.tables)]) + r" \\",
        r"\midrule",
    ]
    settings = list(dict.fromkeys(line.settings for line in table.lines if line.settings))
    for line in table.lines:
        note = rf"$^{{{letter(settings.index(line.settings))}}}$" if line.settings else ""
        cells = [table.cell(line, one, key) for one in table.tables for key in keys]
        texts = [rf"\textbf{{{escape(cell.text)}}}" if cell.best else escape(cell.text) for cell in cells]
        tabular.append(" & ".join([escape(line.strategy) + note, escape(line.head), *texts]) + r" \\")
    told = below({letter(place): text for place, text in enumerate(settings)})
    return "\n".join([*lines, *fitted([*tabular, r"\bottomrule", r"\end{tabular}"]), *told, r"\end{table*}", ""])


def _either(settings: Iterable[str]) -> str:
    """Return the settings of one method in several scenarios as text."""
    return " | ".join(text or "none" for text in settings)


def _span(seeds: set[int]) -> str:
    return str(min(seeds)) if len(seeds) == 1 else f"{min(seeds)}–{max(seeds)}" if seeds else ""
