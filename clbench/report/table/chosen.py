"""A part of a leaderboard: the strategies and columns that were asked for, or the printed numbers alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from clbench import PROTOCOL
from clbench.errors import UsageError, suggest
from clbench.report.table.beside_printed import strategy_of, told_threshold
from clbench.report.table.columns import RULES, column
from clbench.report.table.model import Leaderboard, Table
from clbench.report.table.published import methods, printed_for
from clbench.report.table.ranking import RULE
from clbench.spec.scenario import ScenarioSpec


def printed_alone(about: ScenarioSpec, *, threshold: str = "", digits: int = 1) -> Leaderboard:
    """Return a leaderboard of a scenario without records: its printed numbers. It has no table where there are none."""
    printed = printed_for(about.name)
    told = told_threshold(printed)
    threshold = threshold or (told if told in RULES else "0.5")
    by = column("average_map", threshold=threshold)
    table = Table(
        scenario=about.name,
        version=about.version,
        title=about.title,
        heading=f"{about.name} v{about.version}",
        folder=f"{about.name}.v{about.version}",
        slug=f"{about.name}.v{about.version}",
        apart="",
        dataset=about.dataset,
        stand_in=False,
        digest=about.digest(),
        protocol=PROTOCOL,
        track="",
        rows=[],
        printed=printed,
    )
    return Leaderboard(by.key, by.title, threshold, digits, RULE, [table] if printed else [])


def of_strategies(
    board: Leaderboard, names: Sequence[str], *, runnable: Collection[str] = ()
) -> tuple[Leaderboard, list[str]]:
    """Return the rows, also printed ones, of the strategies `names`, and what to say of names that have no row.

    `runnable` are the strategies that could be run here. Ranks and bold numbers stay those among all rows. Raises
    UsageError for a name of which nothing is known.
    """
    wanted = [strategy_of(name) for name in names]
    rows = {row.strategy for table in board.tables for row in table.rows}
    printed = {strategy_of(one.method): one.method for table in board.tables for one in table.printed}
    elsewhere = {strategy_of(method): method for method in methods()}
    said = []
    for name, plain in zip(names, wanted, strict=True):
        if name in rows or plain in rows:
            continue
        if plain not in elsewhere:
            raise UsageError(
                f"--strategy {name}: there is no row of it, run or printed.{suggest(name, [*rows, *elsewhere])}",
                hint=f"Rows: {', '.join(sorted(rows)) or 'none'}. Printed ones: clbench report published",
            )
        of_this = next((table.scenario for table in board.tables if plain in _printed_of(table.scenario)), "")
        apart = "of this protocol" if of_this else "of other protocols"
        where = (
            "below" if plain in printed else f"{apart}, clbench report published {of_this or repr(elsewhere[plain])}"
        )
        run = (
            f" Its strategy can be run: --strategy {plain}." if plain in runnable else " No strategy here has its name."
        )
        said.append(f"{name} is known as a printed row only ({where}): no record of it is here.{run}")
    tables = []
    for table in board.tables:
        kept = [row for row in table.rows if row.strategy in {*names, *wanted}]
        told = [one for one in table.printed if strategy_of(one.method) in wanted]
        if kept or told:
            tables.append(msgspec.structs.replace(table, rows=kept, printed=told))
    if not tables:
        raise UsageError(f"Nothing to show: {' '.join(said)}", hint=f"Rows: {', '.join(sorted(rows)) or 'none'}.")
    if any(len(new.rows) < len(old.rows) for new in tables for old in board.tables if new.slug == old.slug):
        said.append("Ranks and bold numbers are those among all rows of the table.")
    return msgspec.structs.replace(board, tables=tables), said


def _printed_of(scenario: str) -> set[str]:
    return {strategy_of(one.method) for one in printed_for(scenario)}


def with_columns(board: Leaderboard, keys: Sequence[str]) -> Leaderboard:
    """Return a leaderboard that shows the number columns `keys`, in that order. UsageError: no such column."""
    for key in keys:
        if key not in board.known:
            raise UsageError(
                f"--columns {key}: no such column.{suggest(key, board.known)}",
                hint=f"Columns: {', '.join(board.known)}.",
            )
    return msgspec.structs.replace(board, shown=list(dict.fromkeys(keys)))
