"""The leaderboard on a terminal: the columns that fit, with the marks explained below."""

from __future__ import annotations

import click

from clbench.cli import output
from clbench.report import grid
from clbench.report.model import Leaderboard, Table

TEXTS = (grid.RANK, grid.STRATEGY, grid.SETTINGS, grid.SEEDS, grid.MARKS)
NUMBERS = (
    "average_map", "last_map", "cf1_harmonic", "of1", "forgetting", "bwt", "stored_images", "train_seconds", "trials",
)  # fmt: skip


def print_board(board: Leaderboard) -> None:
    """Print every table with its heading, and what its marks mean."""
    for number, table in enumerate(board.tables):
        if number:
            click.echo()
        _print_table(board, table)


def _print_table(board: Leaderboard, table: Table) -> None:
    shown = grid.grid(board, table, keys=NUMBERS, texts=TEXTS)
    click.secho(f"{table.heading}: {table.title}", bold=True)
    if table.apart:
        click.echo(f"Apart from the table above: {table.apart}.")
    output.table([name for name, _ in shown.headings], [[field.text for field in row] for row in shown.rows])
    for mark, meaning in table.marks().items():
        click.echo(f"  {mark}: {meaning}")
