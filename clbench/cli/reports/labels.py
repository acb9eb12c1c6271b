"""`clbench report labels`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.formats import printed
from clbench.errors import UsageError, suggest


@click.command("labels")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
@printed("text", "md", "csv", "json", "latex", note="csv and json: one number a line.")
@click.option(
    "--strategy", multiple=True, type=complete.STRATEGY, metavar="NAME[,NAME]", help="Only rows of these strategies."
)
@click.option("--label", default="", help="One label, of which --curve shows the points.")
@click.option(
    "--curve",
    type=click.Choice(["precision-recall", "calibration"]),
    help="Points of a curve of --label, from score files, as csv or json.",
)
@click.option("--bins", type=click.IntRange(1), default=10, show_default=True, help="Bins of a calibration curve.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for curves and ± images.")
def labels(
    scenario: str,
    results: tuple[Path, ...],
    reference: bool | None,
    form: str,
    strategy: tuple[str, ...],
    label: str,
    curve: Any,
    bins: int,
    data: Path | None,
) -> None:
    """Print AP per label and session, or a curve of one label.

    As csv or json every number of every seed has a line of its own, and methods have names without digests. Rows are
    those of the scenario's first table. ± images: how far other test images would move an AP, where score files are
    here.

    \b
    Examples:
      clbench report labels coco_b40c10
      clbench report labels coco_b40c10 --format csv > labels.csv
      clbench report labels coco_b40c10 --label dog --curve precision-recall --format csv
      clbench report labels coco_b40c10 --label dog --curve calibration --format json
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.report.compare import label_curves
    from clbench.report.compare.label_errors import label_errors
    from clbench.report.formats.csv_sheet import as_csv
    from clbench.report.table import labels as tables
    from clbench.report.table.leaderboard import heading_of, sections

    if bool(label) is not bool(curve) or (curve and form not in ("csv", "json")):
        raise UsageError("--label and --curve belong together, with --format csv or json.")
    collection = collected(scenario, results, reference)
    rows = sections(collection.rows)[0][0]
    wanted = options.parts("--strategy", strategy)
    there = {row.first.strategy.name for row in rows}
    for name in wanted:
        if name not in there:
            problem = f"--strategy {name}: no row of {scenario} has it.{suggest(name, there)}"
            raise UsageError(problem, hint=f"Rows: {', '.join(sorted(there))}.")
    rows = [row for row in rows if not wanted or row.first.strategy.name in wanted]
    rows.sort(key=lambda row: -(found.mean if (found := row.stat("last_map")) else 0.0))
    errors = {} if curve else label_errors(rows, folders=folders(results), data=data)
    if curve:
        told = label_curves.points(rows, label, curve=curve, folders=folders(results), data=data, bins=bins)
        names: tuple[str, ...] = (*label_curves.ABOUT, *label_curves.COLUMNS[curve])
        lines = [[point[name] for name in names] for point in told]
    elif form in ("csv", "json"):
        names, lines = tables.NAMES, tables.tidy(rows, errors)
    else:
        if form in ("md", "latex"):
            text = (
                tables.markdown(rows, errors)
                if form == "md"
                else tables.latex(rows, errors, heading=heading_of(rows[0]))
            )
            click.echo(text, nl=False)
            return
        click.secho(heading_of(rows[0]), bold=True)
        shown = tables.grid_of(rows, errors, most=tables.MOST)
        output.table(shown.titles, shown.texts, dispensable=["Session", *reversed(shown.titles[3:])])
        output.say("AP in per cent after the last session; every session and seed: --format csv")
        if errors:
            output.say(f"{tables.LUCK}.")
        return
    if form == "csv":
        click.echo(as_csv(names, lines), nl=False)
    else:
        plain = [dict(zip(names, line, strict=True)) for line in lines]
        click.echo(json.dumps([{k: None if v != v else v for k, v in one.items()} for one in plain], indent=1))
