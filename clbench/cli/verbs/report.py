"""`clbench report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import complete, options
from clbench.cli.reports.choose import choose
from clbench.cli.reports.collected import NO_RECORDS, UNVERIFIED, collected, note_unverified, printed_board
from clbench.cli.reports.compare import compare
from clbench.cli.reports.formats import digits, printed, sort, threshold, unprinted
from clbench.cli.reports.labels import labels as labels_verb
from clbench.cli.reports.leaderboard import leaderboard
from clbench.cli.reports.orders import orders
from clbench.cli.reports.published import published
from clbench.errors import CheckError, ResultsError, UsageError

if TYPE_CHECKING:
    from clbench.records.collection import Collection
    from clbench.report.formats.write import Decided
    from clbench.report.table.model import Leaderboard

FIGURES = ("pdf", "svg", "png")

labels = click.option("--data", type=options.FOLDER, help="The data set's folder, for CP and CR over the threshold.")


@click.group()
def command() -> None:
    """Make tables and figures from records.

    Rows are those of the results folder; those that clbench ships stand below them with --reference, and alone where
    there are none.

    \b
    Examples:
      clbench report leaderboard coco_b40c10
      clbench report leaderboard coco_b40c10 --format latex > table.tex
      clbench report curves coco_b40c10 --out figures
      clbench report heads coco_b40c10
      clbench report groups coco_b40c10
      clbench report labels coco_b40c10 --format csv > labels.csv
      clbench report compare coco_b40c10 --baseline er
      clbench report orders coco_b40c10
      clbench report published krt
      clbench report html
      clbench report diff results/tiny.v1/er results/tiny.v1/naive
      clbench report all
    """


@command.command("curves")
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
        decided=_decided(results, data=data),
    ):
        click.echo(path)


@command.command("heads")
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
    found = compared.head_tables(collection.rows, errors=errors)
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


@command.command("groups")
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


@command.command("html")
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
    click.echo(_page(collection, results, out=out, published=not no_published, data=data, printed=printed))


@command.command("all")
@options.several_results
@options.reference
@click.option("--out", type=options.FOLDER, default=Path("report"), show_default=True, help="Where everything goes.")
@sort
@threshold
@digits
@unprinted
@labels
def all_(
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
        decided=_decided(results, data=data),
        measured=numbers_besides(collection, folders=folders(results), data=data),
    ):
        click.echo(path)
    click.echo(_page(collection, results, out=out / "report.html", published=not no_published, data=data))


@command.command("diff")
@click.argument("a")
@click.argument("b")
@options.several_results
def diff(a: str, b: str, results: tuple[Path, ...]) -> None:
    """Say which ingredients differ between two records or rows.

    A and B are record files, or folders of one configuration, which stand for all its seeds.

    \b
    Examples:
      clbench report diff results/tiny.v1/er results/tiny.v1/naive
      clbench report diff coco_b40c10.v1/er/0123abcd/seed0.json elsewhere/seed0.json
    """
    from clbench.records.collection import find, find_files
    from clbench.records.verify.verify import verify
    from clbench.report.table.diff import diff as differences
    from clbench.report.table.diff import explain

    wrong = [found for name in (a, b) for path in find_files(name, results=results) if not (found := verify(path)).ok]
    click.get_current_context().meta[UNVERIFIED] = len(wrong)
    for found in wrong:
        click.echo(f"Unverified: {found.path}: {found.findings[0]}")
    click.echo(explain(differences(find(a, results=results), find(b, results=results))), nl=False)


@command.command("readme")
@click.argument("file", type=click.Path(path_type=Path), default=Path("README.md"))
@options.results
@click.option("--check", is_flag=True, help="Change nothing; exit with 6 when a table is stale.")
def readme(file: Path, results: Path, check: bool) -> None:
    """Write the tables of a README anew.

    Tables stand between <!-- leaderboard:SCENARIO --> and <!-- /leaderboard -->, comparisons of heads between
    <!-- heads:SCENARIO --> and <!-- /heads -->, rows over class orders between <!-- orders:SCENARIO --> and
    <!-- /orders -->. A folder of the results, such as tiny.v1, may be named instead of a
    scenario; rows on data other than the pinned stand only where their folder is named. Rows of an older protocol than
    others of their folder are left out; <!-- leaderboard:SCENARIO.protocol1 --> asks for them, and
    <!-- leaderboard:SCENARIO first=12 --> for the first 12 rows of the first table. In a file of clbench's own checkout
    the rows are those that it ships, whatever lies in the results folder.

    \b
    Examples:
      clbench report readme
      clbench report readme docs/results.md --check
    """
    from clbench.records.collection import collect
    from clbench.report.formats.readme import stale, update_readme
    from clbench.report.table import leaderboard as tables
    from clbench.report.table.heads_compared import head_tables
    from clbench.report.table.orders_compared import orders_tables

    if not file.is_file():
        raise UsageError(f"{file}: there is no such file.")
    collection = collect(_results_behind(file, results))
    note_unverified(collection)
    board = tables.leaderboard(collection.rows, trust=collection.trust, published=False)
    heads = head_tables(collection.rows)
    orders = orders_tables(collection.rows, measure="last_map", trust=collection.trust)
    if not check:
        anew = update_readme(file, board, heads, orders)
        click.echo(f"{file} is {'written anew' if anew else 'as it should be'}.")
        return
    old = stale(file.read_text(encoding="utf-8"), board, heads, orders)
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


@command.result_callback()
@click.pass_context
def _end(ctx: click.Context, result: object) -> None:
    """Leave with exit code 6 after a report with records that contradict themselves."""
    if wrong := ctx.meta.get(UNVERIFIED, 0):
        raise CheckError(
            f"{wrong} records are unverified; they have no rank."
            if wrong > 1
            else "1 record is unverified; it has no rank.",
            hint="What is wrong: clbench verify",
        )


def _decided(results: tuple[Path, ...], *, data: Path | None) -> Decided:
    from clbench.records.collection import folders
    from clbench.report.figures.from_scores import over_thresholds

    places = folders(results)
    return lambda rows: over_thresholds(rows, folders=places, data=data)


def _page(
    collection: Collection,
    results: tuple[Path, ...],
    *,
    out: Path,
    published: bool,
    data: Path | None,
    printed: Leaderboard | None = None,
) -> Path:
    from clbench.plan.provenance import provenance_by_digest
    from clbench.records.collection import folders
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.page.document import write_page
    from clbench.report.page.gallery import galleries
    from clbench.report.page.model import page_model

    pictures = galleries(collection.own, folders(results))
    model = page_model(
        over_orders(collection.rows),
        trust=collection.trust,
        galleries=pictures,
        methods=provenance_by_digest(),
        published=published,
        wrong=collection.wrong,
        decided=_decided(results, data=data),
        measured=numbers_besides(collection, folders=folders(results), data=data),
        printed=printed,
    )
    return write_page(model, out)


command.add_command(choose)
command.add_command(compare)
command.add_command(labels_verb)
command.add_command(leaderboard)
command.add_command(orders)
command.add_command(published)
