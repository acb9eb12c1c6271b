"""`clbench status`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.terminal import output


@click.command()
@options.results
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(results: Path, as_json: bool) -> None:
    """Say which runs are finished, running, stopped or failed.

    A stopped run goes on where it was when the command that started it is given again.

    \b
    Examples:
      clbench status
      clbench status --results /big/disk/results --json
    """
    from clbench.records.unfinished import statuses

    found = statuses(results)
    if as_json:
        plain = [{**vars(run), "changed": run.changed.isoformat(), "path": str(run.path)} for run in found]
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    rows = [
        [
            run.state,
            run.scenario,
            run.strategy,
            run.configuration,
            str(run.seed),
            str(run.sessions),
            run.changed.strftime("%Y-%m-%d %H:%M"),
            run.note,
        ]
        for run in found
    ]
    heads = ["state", "scenario", "strategy", "configuration", "seed", "sessions", "last change (UTC)", ""]
    if not any(run.note for run in found):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    output.table(heads, rows, dispensable=["last change (UTC)", "sessions"], whole="--json")
    states = ("finished", "running", "stopped", "failed", "damaged")
    count = {state: sum(run.state == state for run in found) for state in states}
    click.echo(", ".join(f"{number} {state}" for state, number in count.items() if number) or "No runs here yet.")
