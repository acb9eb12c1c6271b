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

    By the mAP after the last session; docs/choose.md says how to read it. F1 are at thresholds that validation images
    chose, where the scenario holds some out, else at one half. Rows of several class orders have an answer by their
    mean over these orders.

    \b
    Examples:
      clbench report choose coco_b40c10
      clbench report choose coco_b40c10 --reference --format latex
    """
    from clbench.cli.terminal import output
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.table import choice

    collection = collected(scenario, results, reference)
    boards = list(choice.chosen_boards(over_orders(collection.rows), trust=collection.trust))
    if form == "csv":
        click.echo(choice.csv_text(boards), nl=False)
        return
    for board, table in boards:
        shown = choice.grid_of(board, table)
        if not shown.rows:
            continue
        if form == "text":
            title = f"{table.heading}, {table.track}"
            output.table(shown.titles, shown.texts, title=title, dispensable=["OF1", "State", "Stored"])
            output.say(choice.decided(board, table))
        else:
            click.echo((choice.markdown if form == "md" else choice.latex)(board, table), nl=False)
