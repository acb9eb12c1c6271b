"""`clbench report`."""

from __future__ import annotations

import click

from clbench.cli.reports.choose import choose
from clbench.cli.reports.collected import UNVERIFIED, WHERE
from clbench.cli.reports.compare import compare
from clbench.cli.reports.curves import curves
from clbench.cli.reports.diff import diff
from clbench.cli.reports.everything import everything
from clbench.cli.reports.groups import groups
from clbench.cli.reports.heads import heads
from clbench.cli.reports.html import html
from clbench.cli.reports.labels import labels
from clbench.cli.reports.leaderboard import leaderboard
from clbench.cli.reports.orders import orders
from clbench.cli.reports.published import published
from clbench.cli.reports.readme import readme
from clbench.errors import CheckError


@click.group()
def command() -> None:
    """Make tables and figures from records.

    Rows are those of the results folder; those that clbench ships stand below them with --reference, and alone where
    there are none.

    \b
    Examples:
      clbench report leaderboard coco_b40c10
      clbench report leaderboard coco_b40c10 --format latex > table.tex
      clbench report curves coco_b40c10 --out figures
      clbench report heads coco_b40c10
      clbench report groups coco_b40c10
      clbench report labels coco_b40c10 --format csv > labels.csv
      clbench report compare coco_b40c10 --baseline er
      clbench report orders coco_b40c10
      clbench report published krt
      clbench report html
      clbench report diff results/tiny.v1/er results/tiny.v1/naive
      clbench report all
    """


@command.result_callback()
@click.pass_context
def _end(ctx: click.Context, result: object) -> None:
    """Leave with exit code 6 after a report with records that contradict themselves."""
    if wrong := ctx.meta.get(UNVERIFIED, 0):
        raise CheckError(
            f"{wrong} records are unverified; they have no rank."
            if wrong > 1
            else "1 record is unverified; it has no rank.",
            hint=f"What is wrong: clbench verify{ctx.meta.get(WHERE, '')}",
        )


for verb in (
    choose, compare, curves, diff, everything, groups, heads, html, labels, leaderboard, orders, published, readme,
):  # fmt: skip
    command.add_command(verb)
