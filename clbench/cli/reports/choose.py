"""`clbench report choose`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected


@click.command("choose")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
def choose(scenario: str, results: tuple[Path, ...], reference: bool | None) -> None:
    """Say which row of a scenario to take, by what may be kept and what it costs.

    By the mAP after the last session; docs/choose.md says how to read it.

    \b
    Examples:
      clbench report choose coco_b40c10
      clbench report choose coco_b40c10 --reference
    """
    from clbench.cli.terminal import output
    from clbench.report.table.choice import SHOWN, choices
    from clbench.report.table.leaderboard import leaderboard

    collection = collected(scenario, results, reference)
    board = leaderboard(collection.rows, trust=collection.trust, published=False)
    for table in board.tables:
        lines = []
        for one in choices(table):
            row = table.rows[one.row]
            alike = sorted({table.rows[place].strategy for place in one.alike} - {row.strategy})
            named = " ".join(filter(None, [row.strategy, row.head, row.settings]))
            lines.append([one.need, named, *(board.text(row, key) for key in SHOWN), ", ".join(alike)])
        if lines:
            heads = ["if", "take", *map(board.title, SHOWN), "not told apart from"]
            output.table(heads, lines, title=f"{table.heading}, {table.track}", dispensable=["OF1", "State", "Stored"])
