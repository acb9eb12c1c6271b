"""`clbench report leaderboard`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import complete, options
from clbench.cli.reports.collected import NO_RECORDS, collected, printed_board
from clbench.cli.reports.formats import digits, printed, sort, threshold, unprinted
from clbench.errors import ResultsError, UsageError, suggest

if TYPE_CHECKING:
    from clbench.report.table.model import Leaderboard


@click.command("leaderboard")
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True, type=complete.SCENARIO)
@options.several_results
@options.reference
@printed("text", "md", "csv", "latex", "html", "json", note="text is for terminals.")
@sort
@threshold
@digits
@click.option(
    "--strategy", multiple=True, type=complete.STRATEGY, metavar="NAME[,NAME]", help="Only rows of these strategies."
)
@click.option("--columns", multiple=True, metavar="KEY[,KEY]", help="Only these number columns, in this order.")
@click.option(
    "--measures", multiple=True, metavar="KEY[,KEY]", help="More columns, from score files: auroc, one_error…"
)
@click.option("--data", type=options.FOLDER, help="The data set's folder, for what score files tell.")
@click.option("--mine", is_flag=True, help="Only your own rows: none that clbench ships, none from papers.")
@unprinted
def leaderboard(
    scenarios: tuple[str, ...],
    results: tuple[Path, ...],
    reference: bool | None,
    form: str,
    sort: str,
    threshold: str,
    digits: int,
    strategy: tuple[str, ...],
    columns: tuple[str, ...],
    measures: tuple[str, ...],
    data: Path | None,
    mine: bool,
    no_published: bool,
) -> None:
    """Print the table of a scenario, or of several in one.

    Numbers from papers stand below the rows, and beside a row where method, protocol and size of memory are the same.
    Several scenarios make one table with Avg. and last mAP of each.

    \b
    Examples:
      clbench report leaderboard coco_b40c10
      clbench report leaderboard coco_b40c10 --format md --sort last_map
      clbench report leaderboard coco_b40c10 --strategy krt,er --columns average_map,of1
      clbench report leaderboard coco_b40c10 voc07_b10c2 --mine --format latex > table.tex
      clbench report leaderboard coco_b40c10 --results here --results elsewhere
    """
    from clbench.cli.terminal import output
    from clbench.records.collection import folders
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.table import chosen
    from clbench.report.table.leaderboard import leaderboard as make

    if mine and reference:
        raise UsageError("--mine and --reference exclude each other.")
    asked = {Path(name).stem if name.endswith((".yaml", ".yml")) else name: name for name in scenarios}
    names = list(asked)
    published = not (no_published or mine)
    keys = options.parts("--columns", columns)
    more = _known_measures(options.parts("--measures", measures))
    wanted = options.parts("--strategy", strategy)
    boards, said = [], []
    for name in names:
        try:
            found = collected(asked[name], results, False if mine else reference)
        except (ResultsError, UsageError) as error:
            board = printed_board(name, threshold=threshold, digits=digits) if published else None
            if board is None:
                raise error from None
            said.append(NO_RECORDS.format(name))
            boards.append(board)
            continue
        rows = over_orders(found.rows)
        besides = numbers_besides(found, [*more, *keys, sort], folders=folders(results), data=data)
        boards.append(
            make(
                rows,
                sort=sort,
                threshold=threshold,
                trust=found.trust,
                published=published,
                digits=digits,
                measured=besides,
            )
        )
        said += _failed(results, name)
    if len(boards) > 1:
        _print_across(boards, names, form=form, wanted=wanted, keys=keys, said=said)
        return
    board = boards[0]
    if wanted:
        board, told = chosen.of_strategies(board, wanted, runnable=_runnable())
        said += told
    if keys:
        board = chosen.with_columns(board, keys)
    _print(board, form)
    for text in said if form == "text" else ():
        output.say(text)


def _known_measures(keys: Sequence[str]) -> Sequence[str]:
    from clbench.report.table.columns import MEASURED

    for key in keys:
        if key not in MEASURED:
            raise UsageError(
                f"--measures {key}: no such measure.{suggest(key, MEASURED)}", hint=f"Measures: {', '.join(MEASURED)}."
            )
    return keys


def _print(board: Leaderboard, form: str) -> None:
    from clbench.cli.terminal.board import print_board
    from clbench.report.formats.write import TABLES

    if form == "text":
        print_board(board)
    else:
        click.echo(TABLES["tex" if form == "latex" else form](board), nl=False)


def _print_across(
    boards: Sequence[Leaderboard],
    names: Sequence[str],
    *,
    form: str,
    wanted: Sequence[str],
    keys: Sequence[str],
    said: Sequence[str],
) -> None:
    from clbench.cli.terminal import output
    from clbench.report.table import across, chosen

    if form in ("html", "json"):
        raise UsageError(
            f"--format {form} is for one scenario.",
            hint="Several: text, md, csv or latex; as a page: clbench report html",
        )
    board = across.together(boards)
    if wanted:
        board, told = chosen.of_strategies(board, wanted, runnable=_runnable())
        said = [*said, *told]
    if keys:
        chosen.with_columns(board, keys)
    found = across.across(board, names, keys=keys or across.usual_columns(board))
    if form == "text":
        shown = found.grid
        output.table(shown.titles, shown.texts, dispensable=["Marks", "Seeds", "Settings", "Head"])
        for text in [*found.notes(), *said]:
            output.say(text)
    else:
        write = {"md": across.markdown, "csv": across.csv_text, "latex": across.latex}[form]
        click.echo(write(found), nl=False)


def _runnable() -> set[str]:
    from clbench.plan.catalog import strategies

    return {entry.name for entry in strategies() if not entry.problem}


def _failed(results: Sequence[Path], scenario: str) -> list[str]:
    """Return a sentence for every run of a scenario that failed."""
    from clbench.records.unfinished import unfinished

    runs = [run for folder in results for run in unfinished(folder, scenario=scenario) if run.state == "failed"]
    return [
        f"Failed: {run.strategy} {run.configuration} seed {run.seed}, after {run.sessions} "
        f"session{'s' * (run.sessions != 1)}; {run.note}"
        for run in runs
    ]
