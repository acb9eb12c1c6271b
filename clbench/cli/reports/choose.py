"""`clbench report choose`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.formats import printed


@click.command("choose")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", note="csv: fractions.")
def choose(scenario: str, results: tuple[Path, ...], reference: bool | None, form: str) -> None:
    """Say which row of a scenario to take, by what may be kept and what it costs.

    By the mAP after the last session; docs/choose.md says how to read it.

    \b
    Examples:
      clbench report choose coco_b40c10
      clbench report choose coco_b40c10 --reference --format latex
    """
    from clbench.cli.terminal import output
    from clbench.report.table import choice
    from clbench.report.table.leaderboard import leaderboard

    collection = collected(scenario, results, reference)
    board = leaderboard(collection.rows, trust=collection.trust, published=False)
    if form == "csv":
        click.echo(choice.csv_text(board), nl=False)
        return
    for table in board.tables:
        shown = choice.grid_of(board, table)
        if not shown.rows:
            continue
        if form == "text":
            title = f"{table.heading}, {table.track}"
            output.table(shown.titles, shown.texts, title=title, dispensable=["OF1", "State", "Stored"])
        else:
            click.echo((choice.markdown if form == "md" else choice.latex)(board, table), nl=False)
