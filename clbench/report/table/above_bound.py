"""Rows above the upper bound of their table, and how that can be."""

from __future__ import annotations

from clbench.report.table.columns import Column
from clbench.report.table.model import Leaderboard, Table, TableRow

BOUND = "upper-bound"


def above_bound(board: Leaderboard, table: Table) -> str:
    """Return which ranked rows stand above joint training by what ranks them, and why; empty where none does.

    A row is held against the bounds with its head, or against all where none has it, and against the highest of these.
    By last mAP both are tested on the same images and labels; an average begins with fewer.
    """
    by, last = board.known[board.ranked_by(table)], board.known["last_map"]
    names = _above(table, by)
    if not names:
        return ""
    told = f"Above the upper bound by {by.title}: {'; '.join(names)}."
    if by.key != last.key:
        told += (
            f" The bound is tested on all labels, {by.title} also after sessions with fewer of them, which is easier:"
        )
        names = _above(table, last)
        told += f" by {last.title} {'still ' + '; '.join(names) if names else 'none is above it'}."
    if names:
        told += " Joint training bounds what its own recipe reaches; a method that learns in another way may pass it."
    return told


def _above(table: Table, column: Column) -> list[str]:
    bounds = [row for row in table.rows if BOUND in row.marks]
    return [_name(row) for row in table.rows if row.rank is not None and _passes(row, bounds, column)]


def _passes(row: TableRow, bounds: list[TableRow], column: Column) -> bool:
    like = [bound for bound in bounds if bound.head == row.head] or bounds
    reached = [mean for bound in like if (mean := bound.cells[column.key].mean) is not None]
    mean = row.cells[column.key].mean
    return mean is not None and bool(reached) and column.higher_is_better and mean > max(reached)


def _name(row: TableRow) -> str:
    return f"{row.strategy} ({row.settings})" if row.settings else row.strategy
