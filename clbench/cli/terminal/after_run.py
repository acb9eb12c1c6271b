"""What is printed when runs have ended: their table beside the reference, a look at the curves, and where to go on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli.terminal import output
from clbench.errors import ResultsError

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.records.rows import Row

BARS = "▁▂▃▄▅▆▇█"


def print_results(records: Sequence[Path], plan: Plan, results: Path) -> list[Path]:
    """Print the leaderboard of the scenario that `records` belong to and write it with the curves of what ran.

    Returns those of `records` that are unverified.
    """
    from clbench.cli.reports.collected import tell_changed
    from clbench.cli.terminal.board import print_board
    from clbench.plan.plan import asked_for
    from clbench.records.collection import Collection, collect
    from clbench.records.rows import PROTOCOLS
    from clbench.records.rows_over_orders import over_orders
    from clbench.report.compare.measured import numbers_besides
    from clbench.report.formats.write import TABLES, write_report
    from clbench.report.table.beside_reference import standing
    from clbench.report.table.leaderboard import leaderboard

    name = plan.scenario.name
    collection = collect(results, scenario=name, reference=False).of(name)
    tell_changed(collection.own, scenario=asked_for(plan), data=plan.root)
    every = over_orders(row for row in collection.rows if row.first.scenario.stand_in == plan.stand_in)
    rows = [row for row in every if len(row.orders) == 1]
    shipped = _shipped(results, name)
    standings = {row.first.configuration: standing(row, shipped) for row in rows}
    besides = numbers_besides(Collection(every), folders=[results])
    board = leaderboard(rows, trust=collection.trust, threshold="", measured=besides)
    print_board(board, beside={key: one.kind for key, one in standings.items()}, briefly=True)
    for row in rows:
        found = standings[row.first.configuration]
        if found.kind == "differs":
            told = f"{row.first.strategy.name} ({row.first.configuration[:8]}) {found.sentence()}"
            output.say(f"  {told}", indent="    ")
    older = sorted({one.protocol for one in standings.values() if one.protocol})
    for protocol in older:
        output.say(f"  Reference rows of protocol {protocol} are compared with nothing: there {PROTOCOLS[protocol]}.")
    several = [row for row in every if len(row.orders) > 1]
    if several:
        click.echo()
        print_board(leaderboard(several, trust=collection.trust, measured=besides))
    _print_curves(rows)
    # one figure: to draw them all takes longer than some runs, and papers are served by `clbench report curves`
    out = records[0].parents[2] / "report"
    write_report(
        every,
        trust=collection.trust,
        out=out,
        formats=(*TABLES, "png"),
        most=1,
        measured=besides,
        only={record.parent.name for record in records},
    )
    option = "" if results == Path("results") else f" --results {results}"
    click.echo()
    folders = dict.fromkeys(str(record.parents[2]) for record in records)  # one for each class order
    click.echo(f"Records: {records[0] if len(records) == 1 else ', '.join(folders)}")
    click.echo(f"Tables and curves: {out}")
    click.echo(f"Next: clbench serve{option}, or clbench report curves {name}{option}")
    wrong = {found.path.resolve() for found in collection.wrong if found.path is not None}
    return [record for record in records if record.resolve() in wrong]


def _shipped(results: Path, scenario: str) -> list[Row]:
    """Return the reference rows of a scenario; none where clbench ships none, or where they are damaged."""
    from clbench.records.collection import collect, reference_folder
    from clbench.records.store import scenario_folders

    folder = reference_folder(results)
    if folder is None or not scenario_folders(folder, scenario):
        return []  # of a scenario that is not there, all the others would be read
    try:
        found = collect(folder, scenario=scenario, reference=False)
    except ResultsError:
        return []
    return [row for row in found.rows if row.first.scenario.name == scenario]


def _print_curves(rows: Sequence[Row]) -> None:
    """Print mAP after each session as a row of bars, from nothing to 100 per cent, between its first and last value."""
    from clbench.report.figures.curves import map_curves
    from clbench.report.table.leaderboard import sections

    for group, _ in sections(rows):
        lines = map_curves(group, test_set="growing")
        sessions = max(len(line.mean) for line in lines)
        if sessions == 1:
            continue
        click.echo("\nmAP after each session, in per cent of the growing test set's labels seen so far")
        room = min(max(len(line.name) for line in lines), max(output.width() - sessions - 18, 8))
        for line in sorted(lines, key=lambda line: -line.mean.mean()):
            values = 100 * line.mean
            drawn = "".join(map(_bar, values))
            ends = f"{values[0]:5.1f} {drawn} {values[-1]:.1f}" if len(values) > 1 else f"{values[0]:5.1f} at once"
            click.echo(f"  {line.name[:room]:<{room}}  {ends}")


def _bar(value: float) -> str:
    return " " if math.isnan(value) else BARS[min(int(value * len(BARS) / 100), len(BARS) - 1)]
