"""The leaderboard on a terminal: the columns that fit, with the marks explained below."""

from __future__ import annotations

import shutil

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


def print_board(board: Leaderboard) -> None:
    """Print every table with its heading, and what its marks mean."""
    for number, table in enumerate(board.tables):
        if number:
            click.echo()
        _print_table(board, table)


def _print_table(board: Leaderboard, table: Table) -> None:
    several = len({row.head for row in table.rows}) > 1
    shown = grid.grid(board, table, keys=NUMBERS, texts=[text for text in TEXTS if text != grid.HEAD or several])
    click.secho(f"{table.heading}: {table.title}", bold=True)
    if table.apart:
        click.echo(f"Apart from the table above: {table.apart}.")
    names = [name for name, _ in shown.headings]
    rows = [[field.text for field in row] for row in shown.rows]
    left_out = _narrowed(names, rows, kept=board.sort_title) if output.on_terminal() else []
    output.table(names, rows)
    if left_out:
        click.echo(f"  Not shown, for want of width: {', '.join(left_out)}. All of it: --format md")
    for mark, meaning in table.marks().items():
        click.echo(f"  {mark}: {meaning}")


def _narrowed(names: list[str], rows: list[list[str]], *, kept: str) -> list[str]:
    """Take columns out of a table until no cell is broken, `kept` never; return what they are called."""
    width, gone = shutil.get_terminal_size().columns, []
    for column in (title for title in DISPENSABLE if title != kept):
        if output.room(names, rows) <= width:
            break
        place = next((i for i, name in enumerate(names) if name.partition(" @")[0] == column), None)
        if place is not None:
            gone.append(names.pop(place))
            for row in rows:
                row.pop(place)
    return gone
