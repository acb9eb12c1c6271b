"""Printed numbers as a table of their own: for terminals, as Markdown, and as CSV with every column."""

from __future__ import annotations

from collections.abc import Sequence

from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import NUMBERS_OF_PRINTED, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import escape, grid_lines
from clbench.report.table.published import CAUTION, Printed

TITLES = {
    "scenario": "Scenario",
    "method": "Method",
    "buffer": "Buffer",
    "backbone": "Backbone",
    "average_map": "Avg. mAP",
    "last_map": "Last mAP",
    "cf1": "CF1",
    "of1": "OF1",
    "f1_kind": "F1 kind",
    "year": "Year",
    "source": "Source",
    "remarks": "Remarks",
}
"""Columns of the table: the field of `Printed` and its heading."""


def cells(rows: Sequence[Printed], titles: dict[str, str]) -> tuple[list[str], list[list[str]]]:
    """Return headings and texts. Columns that no row fills are left out; a row without scenario tells its protocol."""
    told = [[_text(row, field) for field in titles] for row in rows]
    keep = [place for place in range(len(titles)) if any(line[place] != "–" for line in told)]
    headings = list(titles.values())
    return [headings[place] for place in keep], [[line[place] for place in keep] for line in told]


def short(rows: Sequence[Printed]) -> dict[str, str]:
    """Return the columns that fit a terminal: scenario or method, whichever differs, and the numbers."""
    wanted = {"buffer", "average_map", "last_map", "cf1", "of1", "source"}
    wanted |= {field for field in ("scenario", "method") if len({getattr(row, field) for row in rows}) > 1}
    return {field: title for field, title in TITLES.items() if field in wanted}


def markdown(rows: Sequence[Printed]) -> str:
    """Return the rows as a Markdown table under the words of caution."""
    titles, told = cells(rows, TITLES)
    lines = grid_lines(plain_grid(titles, told, sides="l" * len(titles)))
    return "\n".join([f"> {escape(CAUTION)}", "", *lines]) + "\n"


def latex(rows: Sequence[Printed], name: str) -> str:
    """Return the rows of a scenario or method in LaTeX, under the words of caution."""
    titles, told = cells(rows, short(rows))
    sides = "".join("r" if title in NUMBERS_OF_PRINTED else "l" for title in titles)
    return grid_table(plain_grid(titles, told, sides=sides), caption=f"{name}. {CAUTION}", label=f"{name}-printed")


def csv_text(rows: Sequence[Printed]) -> str:
    """Return the rows as CSV, every field as it is kept; texts that a spreadsheet would run get a quote in front."""
    names = Printed.__struct_fields__
    return as_csv(names, ([getattr(row, name) for name in names] for row in rows))


def _text(row: Printed, field: str) -> str:
    if field == "scenario":
        return row.scenario or ", ".join(filter(None, (row.dataset, row.protocol)))
    return str(getattr(row, field)) or "–"
