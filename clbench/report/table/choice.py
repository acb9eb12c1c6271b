"""Which one? What the rows of a table say to somebody who has to take one: by the last session, by what may be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from clbench.metrics.thresholds import EACH
from clbench.records.rows import Row
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import escape, grid_lines
from clbench.report.table.leaderboard import leaderboard
from clbench.report.table.model import Cell, Leaderboard, Table, TableRow

ENOUGH = 0.9
"""Share of the best last mAP from which a cheaper row is worth a look."""
SHOWN = ("last_map", "cf1_harmonic", "of1", "stored_images", "stored_bytes", "state_bytes", "train_seconds")
"""The numbers beside each answer."""


class Choice(Struct, frozen=True):
    """The answer to one need: the place of a row in its table, and those that cannot be told from it."""

    need: str
    row: int
    alike: list[int]
    """Places of other rows that may do as well: their seed intervals of last mAP overlap."""


def choices(table: Table) -> list[Choice]:
    """Return which row of a table to take, one answer for each need that one of its rows meets.

    By the mAP after the last session: an average over sessions begins with test sets of the first labels alone, on
    which a method that forgets them later still shines. Rows without a rank, which saw everything at once or contradict
    themselves, are none to take.
    """
    ranked = [place for place, row in enumerate(table.rows) if row.rank is not None]
    rows = [place for place in ranked if _mean(table.rows[place], "last_map") is not None]
    if not rows:
        return []
    found = [_best("photos may be kept", table, rows)]
    without = [place for place in rows if _keeps_none(table.rows[place])]
    if without:
        found.append(_best("no photo may be kept", table, without))
    best = _mean(table.rows[found[0].row], "last_map") or 0.0
    good = [place for place in rows if (_mean(table.rows[place], "last_map") or 0.0) >= ENOUGH * best]
    share = f"{100 * ENOUGH:.0f} % of the best last mAP"
    for need, cost in (("least training time", lambda row: _mean(row, "train_seconds")), ("least kept", _kept_bytes)):
        told = [place for place in good if cost(table.rows[place]) is not None]  # older records know less of costs
        if told:
            found.append(_least(f"{need} for {share}", table, told, cost))
    return found


def chosen_boards(rows: Sequence[Row], *, trust: Mapping[str, str]) -> Iterator[tuple[Leaderboard, Table]]:
    """Yield the tables of `rows`, each with a board whose F1 are at thresholds that validation images chose, if any."""
    plain = leaderboard(rows, trust=trust, published=False)
    tuned = leaderboard(rows, trust=trust, published=False, threshold=EACH)
    for half, table in zip(plain.tables, tuned.tables, strict=True):
        found = any(row.cells["of1"].mean is not None for row in table.rows)
        yield (tuned, table) if found else (plain, half)


def decided(board: Leaderboard, table: Table) -> str:
    """Return at which thresholds the F1 beside the answers are, and of how many machines the times."""
    if board.threshold == EACH:
        told = "F1 at thresholds that validation images chose, for each label the best for its own F1."
    else:
        told = f"F1 at one half: {table.scenario} holds out no validation images to choose a threshold on."
    return f"{told} {table.of_clocks}".rstrip()


def grid_of(board: Leaderboard, table: Table) -> Grid:
    """Return the answers of a table as texts, for every format."""
    lines = []
    for one in choices(table):
        row = table.rows[one.row]
        kept = "(keeps every photo)" if "all-photos" in row.marks else ""
        named = " ".join(filter(None, [row.strategy, row.head, row.settings, kept]))
        lines.append([one.need, named, *(board.text(row, key) for key in SHOWN), "; ".join(others(table, one)) or "–"])
    titles = ["if", "take", *map(board.title, SHOWN), "not told apart from"]
    return plain_grid(titles, lines, sides="ll" + "r" * len(SHOWN) + "l")


def markdown(board: Leaderboard, table: Table) -> str:
    """Return the answers of a table as Markdown."""
    return "\n".join(
        [
            f"**{escape(table.heading)}, {escape(table.track)}**",
            "",
            *grid_lines(grid_of(board, table)),
            "",
            escape(decided(board, table)),
            "",
        ]
    )


def latex(board: Leaderboard, table: Table) -> str:
    """Return the answers of a table in LaTeX."""
    answers = "what to take, by the mAP after the last session"
    caption = f"{table.heading}, pretraining {table.track}: {answers}. {decided(board, table)}"
    return grid_table(grid_of(board, table), caption=caption, label=f"{table.slug}-choice")


def csv_text(boards: Iterable[tuple[Leaderboard, Table]]) -> str:
    """Return the answers of all tables as CSV, means as fractions; `f1_rule` says at which thresholds F1 is."""
    about = ["table", "track", "need", "strategy", "head", "settings"]
    names = [*about, *SHOWN, "f1_rule", "not_told_apart_from", "configuration"]
    lines = []
    for board, table in boards:
        for one in choices(table):
            row = table.rows[one.row]
            told = [table.heading, table.track, one.need, row.strategy, row.head, row.settings]
            numbers = [row.cells[key].mean for key in SHOWN]
            lines.append([*told, *numbers, board.threshold, "; ".join(others(table, one)), row.configuration])
    return as_csv(names, lines)


def others(table: Table, one: Choice) -> list[str]:
    """Return what may do as well: strategies, and of the strategy that is taken itself head and settings."""
    taken = table.rows[one.row]
    found = []
    for row in (table.rows[place] for place in one.alike):
        if row.strategy != taken.strategy:
            found.append(row.strategy)
        else:
            head = "" if row.head == taken.head else f"/{row.head}"
            found.append(f"{row.strategy}{head} ({row.settings or 'no setting changed'})")
    return sorted(set(found))


def _best(need: str, table: Table, places: Sequence[int]) -> Choice:
    first = max(places, key=lambda place: _mean(table.rows[place], "last_map") or 0.0)
    alike = [place for place in places if place != first and _overlap(table.rows[first], table.rows[place])]
    return Choice(need, first, alike)


def _least(need: str, table: Table, places: Sequence[int], cost: Callable[[TableRow], float | None]) -> Choice:
    def key(place: int) -> tuple[float, float]:
        return cost(table.rows[place]) or 0.0, -(_mean(table.rows[place], "last_map") or 0.0)

    return Choice(need, min(places, key=key), [])


def _overlap(a: TableRow, b: TableRow) -> bool:
    (low, high), (other_low, other_high) = (_interval(row.cells["last_map"]) for row in (a, b))
    return low <= other_high and other_low <= high


def _interval(cell: Cell) -> tuple[float, float]:
    mean, spread = cell.mean or 0.0, cell.std or 0.0
    return mean - spread, mean + spread


def _keeps_none(row: TableRow) -> bool:
    return not _mean(row, "stored_images") and "all-photos" not in row.marks


def _kept_bytes(row: TableRow) -> float | None:
    if "all-photos" in row.marks:
        return None
    state = _mean(row, "state_bytes")
    return None if state is None else state + (_mean(row, "stored_bytes") or 0.0)


def _mean(row: TableRow, key: str) -> Any:
    return row.cells[key].mean
