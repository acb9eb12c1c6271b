"""`clbench report published`."""

from __future__ import annotations

import click

from clbench.cli.reports.formats import printed
from clbench.errors import UsageError


@click.command("published")
@click.argument("name", metavar="[SCENARIO|METHOD]", default="")
@printed("text", "md", "csv", "latex", note="csv: every column, as printed.")
@click.option("--bibtex", is_flag=True, help="Print an entry for each source instead of the table.")
def published(name: str, form: str, bibtex: bool) -> None:
    """Print what papers and repositories report.

    For one scenario, for one method over all of them, or without a name how many rows there are of each. Copied from
    print and never ranked with rows that ran here. No record is needed.

    \b
    Examples:
      clbench report published
      clbench report published coco_b40c10
      clbench report published krt --format csv
      clbench report published coco_b40c10 --bibtex
    """
    from clbench.cli.terminal import output
    from clbench.report.formats.printed_numbers import cells, csv_text, latex, markdown, short
    from clbench.report.table.published import CAUTION, all_printed, bibtex_of, printed_of, summary

    rows = printed_of(name) if name else list(all_printed())
    if bibtex:
        click.echo(bibtex_of(rows), nl=False)
    elif form == "csv":
        click.echo(csv_text(rows), nl=False)
    elif form == "md" and name:
        click.echo(markdown(rows), nl=False)
    elif form == "latex" and name:
        click.echo(latex(rows, name), nl=False)
    elif not name:
        if form != "text":
            raise UsageError(
                f"--format {form}: of which scenario or method?", hint="List them: clbench report published"
            )
        output.table(["Scenario or method", "Rows"], summary())
    else:
        titles, told = cells(rows, short(rows))
        output.table(titles, told)
        output.say(CAUTION)
        output.say("Backbones, sources' remarks and disagreements: --format md or csv.")
