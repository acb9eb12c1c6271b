"""`clbench report orders`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.formats import printed
from clbench.errors import UsageError


@click.command("orders")
@click.argument("scenario", type=complete.SCENARIO)
@options.measure
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", note="csv: fractions, per order.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for ± images.")
def orders(
    scenario: str, measure: str, results: tuple[Path, ...], reference: bool | None, form: str, data: Path | None
) -> None:
    """Say whether a ranking survives another class order.

    Mean and spread over the class orders that rows ran in, how often each is first, and how far the rankings agree with
    that of the scenario's own order. Only rows that ran in the same orders stand in one table. ± images: standard error
    of last mAP from the luck of the test images, where score files are here.

    \b
    Examples:
      clbench run coco_b40c10 --strategy er,lwf --orders 5
      clbench report orders coco_b40c10
      clbench report orders coco_b40c10 --measure average_map --format md
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.table import orders_compared as compared
    from clbench.report.table.columns import ERROR

    collection = collected(scenario, results, reference)
    of_last = measure == "last_map"
    besides = numbers_besides(collection, folders=folders(results), data=data) if of_last else {}
    tables = compared.orders_tables(
        collection.rows, measure=measure, trust=collection.trust, errors=besides.get(ERROR.key)
    )
    if not tables:
        raise UsageError(
            f"{scenario}: no row has records in more than one class order.",
            hint=f"clbench run {scenario} --orders 5",
        )
    if form == "csv":
        click.echo(compared.csv_text(tables), nl=False)
        return
    for number, table in enumerate(tables):
        said = compared.notes(table, measure=measure)
        if number:
            click.echo()
        if form in ("md", "latex"):
            click.echo((compared.markdown if form == "md" else compared.latex)(table, said), nl=False)
            continue
        click.secho(table.heading, bold=True)
        shown = table.grid
        output.table(shown.titles, shown.texts, dispensable=["Seeds", "Lowest", "Highest", "Ranks", ERROR.title])
        for text in said:
            output.say(text)
