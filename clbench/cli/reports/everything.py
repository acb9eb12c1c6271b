"""`clbench report all`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.drawn import FIGURES, decided, labels, page
from clbench.cli.reports.formats import digits, sort, threshold, unprinted


@click.command("all")
@options.several_results
@options.reference
@click.option("--out", type=options.FOLDER, default=Path("report"), show_default=True, help="Where everything goes.")
@sort
@threshold
@digits
@unprinted
@labels
def everything(
    results: tuple[Path, ...],
    reference: bool | None,
    out: Path,
    sort: str,
    threshold: str,
    digits: int,
    no_published: bool,
    data: Path | None,
) -> None:
    """Write tables and figures of every scenario, and one page with all of it.

    \b
    Example:
      clbench report all --out site
    """
    from clbench.records.collection import folders
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.formats.write import TABLES, write_report

    collection = collected("", results, reference)
    for path in write_report(
        over_orders(collection.rows),
        trust=collection.trust,
        out=out,
        formats=(*TABLES, *FIGURES),
        sort=sort,
        threshold=threshold,
        published=not no_published,
        digits=digits,
        decided=decided(results, data=data),
        measured=numbers_besides(collection, folders=folders(results), data=data),
    ):
        click.echo(path)
    click.echo(page(collection, results, out=out / "report.html", published=not no_published, data=data))
