"""`clbench report groups`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import collected
from clbench.cli.reports.formats import printed


@click.command("groups")
@click.argument("scenario", type=complete.SCENARIO)
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", note="csv: fractions.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for groups on their own images.")
def groups(scenario: str, results: tuple[Path, ...], reference: bool | None, form: str, data: Path | None) -> None:
    """Print mAP over base, new and seen labels after each session.

    On one test set for all three; and on each group's own images, as KRT's code scores them, where the runs' score
    files and the data set's labels are on this machine.

    \b
    Example:
      clbench report groups coco_b40c10 --format csv > groups.csv
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.report.figures.from_scores import groups_on_own_images
    from clbench.report.table import label_groups
    from clbench.report.table.columns import ERROR
    from clbench.report.table.leaderboard import heading_of, sections

    collection = collected(scenario, results, reference)
    for rows, _ in sections(collection.rows):
        found = label_groups.group_rows(rows, *groups_on_own_images(rows, folders=folders(results), data=data))
        if form == "text":
            click.secho(heading_of(rows[0]), bold=True)
            shown = label_groups.grid_of(found)
            output.table(shown.titles, shown.texts, dispensable=["Seeds", ERROR.title])
        elif form == "latex":
            click.echo(label_groups.latex(found, heading=heading_of(rows[0])), nl=False)
        else:
            click.echo((label_groups.csv_text if form == "csv" else label_groups.markdown)(found), nl=False)
    if form == "text":
        output.say(label_groups.NOTE)
