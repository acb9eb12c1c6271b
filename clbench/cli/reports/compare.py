"""`clbench report compare`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.formats import printed


@click.command("compare")
@click.argument("scenario", type=complete.SCENARIO)
@click.option("--baseline", required=True, help="The strategy or row that the others are compared with.")
@options.measure
@click.option(
    "--resamples", type=click.IntRange(100), default=1000, show_default=True, help="Draws of the test images."
)
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", note="csv: fractions.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for the labels of the test images.")
def compare(
    scenario: str,
    baseline: str,
    measure: str,
    resamples: int,
    results: tuple[Path, ...],
    reference: bool | None,
    form: str,
    data: Path | None,
) -> None:
    """Say whether a difference between rows is real.

    Differences are paired by seed, and over several class orders by order and seed, where the spread is that between
    orders. Their intervals hold what other seeds and other test images would change: the images are drawn again with
    replacement from the runs' score files, where these and the data set are on this machine.

    \b
    Examples:
      clbench report compare coco_b40c10 --baseline er
      clbench report compare coco_b40c10 --baseline er/queries --format md
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare import table as compared
    from clbench.report.compare.resampled import resampler
    from clbench.report.table.leaderboard import heading_of, sections

    collection = collected(scenario, results, reference)
    every = over_orders(collection.rows)
    tables = [rows for rows, _ in sections(every) if compared.named(rows, baseline)]
    if not tables:
        compared.refuse([row for row in every if len(row.orders) == 1] or every, baseline)
    for rows in tables:
        if len(compared.named(rows, baseline)) > 1:
            compared.refuse(rows, baseline)
        drawn = resampler(rows, data=data, resamples=resamples)
        found = compared.compare(
            rows, baseline=baseline, measure=measure, folders=folders(results), resampler=drawn, trust=collection.trust
        )
        images = drawn.images if drawn else None
        said = compared.notes(found, measure=measure, images=images, resamples=resamples, orders=rows[0].orders)
        if form == "text":
            click.secho(heading_of(rows[0]), bold=True)
            output.table(list(compared.TITLES), compared.grid_of(found).texts)
            for text in said:
                output.say(text)
        elif form == "latex":
            click.echo(compared.latex(found, said, heading=heading_of(rows[0])), nl=False)
        else:
            click.echo(compared.csv_text(found) if form == "csv" else compared.markdown(found, said), nl=False)
