"""The leaderboard on a terminal: the columns that fit, with the marks explained below."""

from __future__ import annotations

from collections.abc import Mapping

import click
from msgspec import UnsetType

from clbench.cli.terminal import output
from clbench.report.formats import grid
from clbench.report.formats.printed_numbers import cells, short
from clbench.report.table.model import Leaderboard, Table
from clbench.report.table.published import CAUTION, printed_for

TEXTS = (grid.RANK, grid.STRATEGY, grid.HEAD, grid.SETTINGS, grid.SEEDS, grid.FIRST, grid.BESIDE, grid.MARKS)
NUMBERS = (
    "average_map", "last_map", "error_images", "cf1_harmonic", "of1", "forgetting", "bwt", "stored_images",
    "train_seconds", "trials",
)  # fmt: skip

DISPENSABLE = (
    "BWT", "Trials", "Train time", "Stored", "OF1", "Settings", "macro-F1", "CF1", "Seeds", "Forgetting", "± images",
    "Printed Avg. mAP", "Printed Last mAP",
)  # fmt: skip
"""Titles of columns that a narrow terminal does without, in this order; marks and the two mAP stay."""


def print_board(board: Leaderboard, *, beside: Mapping[str, str] | None = None, briefly: bool = False) -> None:
    """Print every table with its heading, what its marks mean, and the numbers printed in papers.

    `beside` has a text for the row of each configuration, shown in a column `Reference`. `briefly`: where the printed
    numbers are to be had stands in their place.
    """
    for number, table in enumerate(board.tables):
        if number:
            click.echo()
        output.say(f"{table.heading}: {table.title}", bold=True)
        for note in [*grid.kept_apart(table), *grid.told_of(board, table)] if table.rows else [grid.NO_RECORD]:
            output.say(note)
        if table.rows:
            _print_rows(board, table, beside=beside)
        _print_printed(table, briefly=briefly)


def _print_printed(table: Table, *, briefly: bool) -> None:
    count = len(table.printed) or (len(printed_for(table.scenario)) if table.stand_in and not table.apart else 0)
    if count and (briefly or not table.printed):
        output.say(f"{count} numbers are printed of this protocol: clbench report published {table.scenario}")
    if not table.printed or briefly:
        return
    output.say("\nPrinted in papers" if table.rows else "Printed in papers", bold=True)
    titles, told = cells(table.printed, short(table.printed))
    output.table(titles, told, dispensable=["Source", "OF1", "CF1"])
    output.say(CAUTION)


def _print_rows(board: Leaderboard, table: Table, *, beside: Mapping[str, str] | None) -> None:
    several = len({row.head for row in table.rows}) > 1
    macro = ("macro_f1",) if table.printed else ()  # what papers print as CF1
    more = () if isinstance(board.measured, UnsetType) else board.measured
    keys = (
        (*NUMBERS[:4], *macro, *NUMBERS[4:7], *(key for key in more if key not in NUMBERS), *NUMBERS[7:])
        if isinstance(board.shown, UnsetType)
        else board.shown
    )
    keys = [key for key in keys if key in board.known]
    shown = grid.grid(board, table, keys=keys, texts=[text for text in TEXTS if text != grid.HEAD or several])
    names = [name for name, _ in shown.headings]
    rows = [[field.text for field in row] for row in shown.rows]
    if beside is not None:
        names.append("Reference")
        rows = [[*row, beside[line.configuration]] for row, line in zip(rows, table.rows, strict=True)]
    if output.on_terminal() and output.room(names, rows) > output.width() and grid.SETTINGS in names:
        place = names.index(grid.SETTINGS)
        for row in rows:
            row[place] = row[place].replace("train.", "")
    needed = {board.known[board.ranked_by(table)].title} | (
        {grid.SETTINGS} if _told_apart_by_settings(names, rows) else set()
    )
    output.table(names, rows, dispensable=[title for title in DISPENSABLE if title not in needed])
    for mark, meaning in table.marks().items():
        output.say(f"  {mark}: {meaning}", indent="    ")


def _told_apart_by_settings(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether two rows would look like the same configuration without their settings."""
    places = [names.index(name) for name in (grid.STRATEGY, grid.HEAD) if name in names]
    return len({tuple(row[place] for place in places) for row in rows}) < len(rows)
