"""What a leaderboard consists of; every format is written from these."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from clbench.records.rows import meaning
from clbench.report.table.columns import RULES, Column, columns
from clbench.report.table.published import Printed


class Cell(Struct, frozen=True):
    """A number of a row: mean and spread over the seeds, None where there is none (one seed has no spread)."""

    mean: float | None
    std: float | None
    best: bool = False


class TableRow(Struct, frozen=True):
    """One configuration as a line of the leaderboard."""

    rank: int | None
    strategy: str
    title: str
    head: str
    changed: dict[str, Any]
    """Fields of the strategy, and of the recipe as `train.NAME`, that differ from the default or the other rows."""
    seeds: list[int]
    cells: dict[str, Cell]
    marks: list[str]
    track: str
    trust: str
    configuration: str
    runs: int
    """Records behind the row: one for each seed, in each class order."""
    first: int | UnsetType = UNSET
    """In how many class orders no ranked row is better; absent in tables of one order, and without a rank."""
    printed: dict[str, str] | UnsetType = UNSET
    """`average_map` and `last_map` as papers print them of this method under this protocol, in per cent."""

    @property
    def settings(self) -> str:
        """The changed settings as text."""
        return ", ".join(f"{name}={_plain(value)}" for name, value in self.changed.items())


class Table(Struct, frozen=True):
    """Rows that may be compared, and the numbers printed elsewhere for the same protocol."""

    scenario: str
    version: int
    title: str
    heading: str
    folder: str
    """Which folder of the results the rows lie in."""
    slug: str
    """A name for files and labels, unlike that of any other table."""
    apart: str
    """Why this table is not part of the one above it; empty for a scenario's first table."""
    dataset: str
    stand_in: bool
    digest: str
    protocol: int
    track: str
    rows: list[TableRow]
    printed: list[Printed]
    reference: bool | UnsetType = UNSET
    """True for rows that clbench ships; absent for others."""
    sort: str | UnsetType = UNSET
    """The column that orders and ranks these rows, where it is not that of the leaderboard."""
    tested: int | UnsetType = UNSET
    """Images of the growing test set after the last session."""
    without_ap: str | UnsetType = UNSET
    """Which labels no test image is known to have, so that mAP leaves them out; absent where there is none."""
    orders: list[str] | UnsetType = UNSET
    """The class orders that every row is the mean of; absent where all records are of one."""
    machines: int | UnsetType = UNSET
    """How many machines the rows ran on, as far as records tell them apart; absent where it is one."""

    @property
    def of_clocks(self) -> str:
        """What to know before comparing times; empty where one machine measured all."""
        if isinstance(self.machines, UnsetType):
            return ""
        return f"Times are of {self.machines} machines: those of two rows are a ratio only where one machine took both."

    def marks(self) -> dict[str, str]:
        """Return the marks that occur, with their meaning."""
        met = dict.fromkeys(mark for row in self.rows for mark in row.marks)
        return {mark: meaning(mark) for mark in met}


class Leaderboard(Struct, frozen=True):
    """All tables, how they are sorted and how to read them."""

    sort: str
    sort_title: str
    threshold: str
    digits: int
    rule: str
    tables: list[Table]
    shown: list[str] | UnsetType = UNSET
    """The keys of the number columns, where they were chosen; absent: all of them."""
    measured: list[str] | UnsetType = UNSET
    """The keys of columns that come from score files; absent: none of them."""

    @property
    def known(self) -> dict[str, Column]:
        """Every number column by key."""
        return columns(self.threshold, measured=() if isinstance(self.measured, UnsetType) else self.measured)

    @property
    def columns(self) -> dict[str, Column]:
        """The number columns by key, in the order in which they are shown."""
        known = self.known
        return known if isinstance(self.shown, UnsetType) else {key: known[key] for key in self.shown}

    @property
    def decided(self) -> str:
        """How a label is decided to be predicted, for the header of the F1 columns."""
        return RULES[self.threshold]

    def title(self, key: str) -> str:
        """Return the heading of a number column, F1 figures with their decision rule."""
        column = self.known[key]
        return f"{column.title} @{self.threshold}" if column.decided else column.title

    def ranked_by(self, table: Table) -> str:
        """Return the key of the column that orders and ranks a table."""
        return self.sort if isinstance(table.sort, UnsetType) else table.sort

    def beside(self, row: TableRow, table: Table) -> str:
        """Return the printed number of a row and the row's difference to it in points, empty where there is none."""
        key = self.printed_key(table)
        mean = row.cells[key].mean
        if isinstance(row.printed, UnsetType) or key not in row.printed or mean is None:
            return ""
        return f"{row.printed[key]} ({100 * mean - float(row.printed[key]):+.{self.digits}f})"

    def printed_key(self, table: Table) -> str:
        """Return which printed number stands beside the rows of a table."""
        by = self.ranked_by(table)
        return by if by in ("average_map", "last_map") else "average_map"

    def text(self, row: TableRow, key: str) -> str:
        """Return a cell as printed."""
        cell = row.cells[key]
        return self.known[key].text(cell.mean, cell.std, digits=self.digits)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
