"""`clbench report html`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import NO_RECORDS, collected, printed_board
from clbench.cli.reports.drawn import labels, page
from clbench.cli.reports.formats import unprinted
from clbench.errors import ResultsError, UsageError


@click.command("html")
@click.argument("scenario", type=complete.SCENARIO, default="")
@options.several_results
@options.reference
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@unprinted
@labels
def html(
    scenario: str, results: tuple[Path, ...], reference: bool | None, out: Path, no_published: bool, data: Path | None
) -> None:
    """Write one page with every table, curve and label.

    The page is one file that needs no network: send it, put it on a web server, print it. CP and CR over the threshold
    are in it where the runs' score files and the data set's labels are on this machine. Of a scenario without records
    it has the numbers from papers.

    \b
    Examples:
      clbench report html
      clbench report html coco_b40c10 --out coco.html
    """
    from clbench.records.collection import Collection

    printed = None
    try:
        collection = collected(scenario, results, reference)
    except (ResultsError, UsageError):
        printed = None if no_published or not scenario else printed_board(scenario)
        if printed is None:
            raise
        collection = Collection()
        click.echo(NO_RECORDS.format(printed.tables[0].scenario), err=True)
    click.echo(page(collection, results, out=out, published=not no_published, data=data, printed=printed))
