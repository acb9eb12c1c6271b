"""`clbench report curves`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.drawn import FIGURES, decided, labels


@click.command("curves")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
@click.option("--out", type=options.FOLDER, default=Path("report"), show_default=True, help="Where figures go.")
@click.option(
    "--format", "formats", multiple=True, type=click.Choice(FIGURES), help="Repeat for several. Default: all."
)
@labels
def curves(
    scenario: str,
    results: tuple[Path, ...],
    reference: bool | None,
    out: Path,
    formats: tuple[str, ...],
    data: Path | None,
) -> None:
    """Draw the figures of a scenario.

    Beside every figure lies a CSV with its numbers. CP and CR over the threshold are drawn where the runs' score files
    and the data set's labels are on this machine.

    \b
    Example:
      clbench report curves coco_b40c10 --out paper/figures --format pdf
    """
    from clbench.report.formats.write import write_report

    collection = collected(scenario, results, reference)
    for path in write_report(
        collection.rows,
        trust=collection.trust,
        out=out,
        formats=formats or FIGURES,
        decided=decided(results, data=data),
    ):
        click.echo(path)
