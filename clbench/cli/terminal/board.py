"""The leaderboard on a terminal: the columns that fit, with the marks explained below."""

from __future__ import annotations

from collections.abc import Mapping

import click

from clbench.cli.terminal import output
from clbench.report.formats import grid
from clbench.report.table.model import Leaderboard, Table

TEXTS = (grid.RANK, grid.STRATEGY, grid.HEAD, grid.SETTINGS, grid.SEEDS, grid.MARKS)
NUMBERS = (
    "average_map", "last_map", "cf1_harmonic", "of1", "forgetting", "bwt", "stored_images", "train_seconds", "trials",
)  # fmt: skip

DISPENSABLE = ("BWT", "Trials", "Train time", "Stored", "OF1", "Settings", "CF1", "Seeds", "Forgetting")
"""Titles of columns that a narrow terminal does without, in this order; marks and the two mAP stay."""


def print_board(board: Leaderboard, *, beside: Mapping[str, str] | None = None) -> None:
    """Print every table with its heading, and what its marks mean.

    `beside` has a text for the row of each configuration, shown in a column `Reference`.
    """
    for number, table in enumerate(board.tables):
        if number:
            click.echo()
        _print_table(board, table, beside=beside)


def _print_table(board: Leaderboard, table: Table, *, beside: Mapping[str, str] | None) -> None:
    several = len({row.head for row in table.rows}) > 1
    shown = grid.grid(board, table, keys=NUMBERS, texts=[text for text in TEXTS if text != grid.HEAD or several])
    output.say(f"{table.heading}: {table.title}", bold=True)
    for note in grid.kept_apart(table):
        output.say(note)
    names = [name for name, _ in shown.headings]
    rows = [[field.text for field in row] for row in shown.rows]
    if beside is not None:
        names.append("Reference")
        rows = [[*row, beside[line.configuration]] for row, line in zip(rows, table.rows, strict=True)]
    if output.on_terminal() and output.room(names, rows) > output.width() and grid.SETTINGS in names:
        place = names.index(grid.SETTINGS)
        for row in rows:
            row[place] = row[place].replace("train.", "")
    needed = {board.sort_title} | ({grid.SETTINGS} if _told_apart_by_settings(names, rows) else set())
    output.table(names, rows, dispensable=[title for title in DISPENSABLE if title not in needed])
    for mark, meaning in table.marks().items():
        output.say(f"  {mark}: {meaning}", indent="    ")


def _told_apart_by_settings(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether two rows would look like the same configuration without their settings."""
    places = [names.index(name) for name in (grid.STRATEGY, grid.HEAD) if name in names]
    return len({tuple(row[place] for place in places) for row in rows}) < len(rows)
