"""`clbench report readme`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.reports.collected import note_unverified
from clbench.errors import CheckError, UsageError


@click.command("readme")
@click.argument("file", type=click.Path(path_type=Path), default=Path("README.md"))
@options.results
@click.option("--check", is_flag=True, help="Change nothing; exit with 6 when a table is stale.")
def readme(file: Path, results: Path, check: bool) -> None:
    """Write the tables of a README anew.

    Tables stand between <!-- leaderboard:SCENARIO --> and <!-- /leaderboard -->, comparisons of heads between
    <!-- heads:SCENARIO --> and <!-- /heads -->, rows over class orders between <!-- orders:SCENARIO --> and
    <!-- /orders -->, which row to take between <!-- choose:SCENARIO --> and <!-- /choose -->. A folder of the results,
    such as tiny.v1, may be named instead of a scenario; rows on data other than the pinned stand only where their
    folder is named. Rows of an older protocol than others of their folder are left out;
    <!-- leaderboard:SCENARIO.protocol1 --> asks for them, and <!-- leaderboard:SCENARIO first=12 --> for the first 12
    rows of the first table. In a file of clbench's own checkout the rows are those that it ships, whatever lies in the
    results folder.

    \b
    Examples:
      clbench report readme
      clbench report readme docs/results.md --check
    """
    from clbench.records.collection import collect
    from clbench.report.formats.readme import Besides, stale, update_readme
    from clbench.report.table import leaderboard as tables
    from clbench.report.table.choice import chosen_boards
    from clbench.report.table.heads_compared import head_tables
    from clbench.report.table.orders_compared import orders_tables

    if not file.is_file():
        raise UsageError(f"{file}: there is no such file.")
    collection = collect(_results_behind(file, results))
    note_unverified(collection)
    board = tables.leaderboard(collection.rows, trust=collection.trust, published=False)
    besides = Besides(
        head_tables(collection.rows, trust=collection.trust),
        orders_tables(collection.rows, measure="last_map", trust=collection.trust),
        list(chosen_boards(collection.rows, trust=collection.trust)),
    )
    if not check:
        anew = update_readme(file, board, besides)
        click.echo(f"{file} is {'written anew' if anew else 'as it should be'}.")
        return
    old = stale(file.read_text(encoding="utf-8"), board, besides)
    if old:
        raise CheckError(
            f"{file}: the table of {', '.join(old)} is not what the records say.", hint="clbench report readme"
        )
    click.echo(f"{file} is as it should be.")


def _results_behind(file: Path, results: Path) -> Path:
    """Return the results folder that a file's tables follow from: its own records for a file of the checkout."""
    from clbench.files.roots import reference_results, shipped_root

    shipped, reference = shipped_root(), reference_results()
    own = shipped is not None and file.resolve().is_relative_to(shipped)
    return reference if own and reference is not None and results == Path("results") else results
