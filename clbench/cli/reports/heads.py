"""`clbench report heads`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.drawn import FIGURES
from clbench.cli.reports.formats import printed
from clbench.errors import UsageError


@click.command("heads")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", note="csv: per seed.")
@click.option(
    "--figure", type=click.Path(dir_okay=False, path_type=Path), help="Draw it too: a .pdf, .svg or .png file."
)
@click.option("--data", type=options.FOLDER, help="The data set's folder, for ± images.")
def heads(
    scenario: str,
    results: tuple[Path, ...],
    reference: bool | None,
    form: str,
    figure: Path | None,
    data: Path | None,
) -> None:
    """Compare methods that ran with several heads.

    The question of DLFL: does a feature of its own for each label (OFOL) beat one that all labels share (OFML)? Angles
    are those between features and classifiers of present labels; speed is that of training beside the linear head.
    ± images: standard error of last mAP from the luck of the test images, where score files are here.

    \b
    Examples:
      clbench report heads coco_b40c10
      clbench report heads coco_b40c10 --format csv > heads.csv
      clbench report heads coco_b40c10 --figure heads.png
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.table import heads_compared as compared
    from clbench.report.table.columns import ERROR

    if figure is not None and figure.suffix.removeprefix(".") not in FIGURES:
        raise UsageError(f"--figure {figure}: expected a file that ends in .{', .'.join(FIGURES)}.")
    collection = collected(scenario, results, reference)
    errors = numbers_besides(collection, folders=folders(results), data=data).get(ERROR.key, {})
    found = compared.head_tables(collection.rows, trust=collection.trust, errors=errors)
    if not found:
        raise UsageError(
            f"{scenario}: no method has records with more than one head.",
            hint=f"clbench run {scenario} --strategy er --set head=queries",
        )
    if form == "text":
        for table in found:
            click.secho(table.heading, bold=True)
            shown = compared.grid_of(table)
            output.table(shown.titles, shown.texts, dispensable=compared.DISPENSABLE)
    elif form == "csv":
        click.echo(compared.csv_text(found, errors), nl=False)
    else:
        click.echo((compared.markdown if form == "md" else compared.latex)(found), nl=False)
    if figure is not None:
        from clbench.report.figures.draw import draw_heads
        from clbench.report.figures.style import save

        save(
            draw_heads(compared.bars(found[0]), note=found[0].heading),
            figure.with_suffix(""),
            formats=[figure.suffix[1:]],
        )
