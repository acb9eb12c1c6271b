"""Options of verbs that print a table: its form, its order, its decimals."""

from __future__ import annotations

from collections.abc import Callable

import click

from clbench.cli import options


def printed(*formats: str, note: str) -> Callable[[options.Command], options.Command]:
    """Return --format for a verb that prints a table; the first is the default."""
    return click.option(
        "--format", "form", type=click.Choice(formats), default=formats[0], show_default=True, help=note
    )


sort = click.option(
    "--sort",
    default="",
    help="The column that orders and ranks. Default: average_map, or last_map where a stream begins with few labels.",
)
threshold = click.option(
    "--threshold",
    default="",
    help="The rule of the F1 columns: 0.5, 0.8, top3, or tuned and tuned-one where validation images chose thresholds. "
    "Default: that of the printed numbers, else 0.5.",
)
digits = click.option("--digits", type=click.IntRange(1, 2), default=1, show_default=True, help="Decimals of per cent.")
unprinted = click.option("--no-published", is_flag=True, help="Leave out the numbers printed in papers.")
