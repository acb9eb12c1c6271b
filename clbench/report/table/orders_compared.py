"""Methods over class orders: mean and spread, how often each is first, and whether orders agree on the ranking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clbench.records.orders import order_of
from clbench.records.rows import Row, Stat
from clbench.records.rows_over_orders import OrdersRow, over_orders
from clbench.records.store import record_scenario_id
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import grid_lines
from clbench.report.table.columns import ERROR
from clbench.report.table.labels import method_names
from clbench.report.table.leaderboard import heading_of, sections
from clbench.report.table.rows import UNVERIFIED, is_unverified, upper_bounds

MEASURES = {"last_map": "mAP after the last session", "average_map": "mAP averaged over the sessions"}
"""What may be compared over orders."""


@dataclass(frozen=True)
class OrdersLine:
    """One configuration over the orders of its table; fractions."""

    name: str
    configuration: str
    seeds: dict[str, int]
    """How many seeds each order has."""
    values: dict[str, float]
    """The mean over seeds in each order."""
    over: Stat
    """Mean and spread over the orders."""
    luck: dict[str, float]
    """Standard error from the test images in each order, mean over seeds; of orders of which it is known."""
    ranks: dict[str, int]
    """Its place in each order; empty for an upper bound and for what verification found wrong."""
    unverified: bool
    """Whether verification found something wrong with a record of it."""

    @property
    def error_images(self) -> float | None:
        """The mean standard error over the orders, which share their test images; None where one is not known."""
        known = len(self.luck) == len(self.values)
        return math.fsum(self.luck.values()) / len(self.luck) if known else None

    @property
    def first(self) -> int | None:
        """In how many orders no ranked row has a higher value; None without a rank."""
        return sum(rank == 1 for rank in self.ranks.values()) if self.ranks else None


@dataclass(frozen=True)
class OrdersTable:
    """Configurations that ran in the same class orders of one scenario, the best mean first."""

    scenario: str
    folder: str
    """Where the rows of the first order lie below the results."""
    protocol: int
    heading: str
    orders: tuple[str, ...]
    """The names of the orders; the first one is that of the scenario where it is among them."""
    lines: tuple[OrdersLine, ...]
    agreement: dict[str, float]
    """Per other order Kendall's tau-b between its values and the first order's, over the ranked rows; NaN for one."""

    @property
    def titles(self) -> tuple[str, ...]:
        """The headings of `cells`."""
        return ("Method", "Seeds", "Over orders", ERROR.title, "Lowest", "Highest", "First", "Ranks", self.orders[0])

    def cells(self, digits: int = 1) -> list[list[str]]:
        """Return the table's texts, values in per cent."""
        return [self._cells(line, digits) for line in self.lines]

    @property
    def grid(self) -> Grid:
        """The table as texts, for every format."""
        return plain_grid(self.titles, self.cells(), sides="lrrrrrrrr", optional=[ERROR.title])

    def _cells(self, line: OrdersLine, digits: int) -> list[str]:
        def text(value: float) -> str:
            return f"{100 * value:.{digits}f}"

        counts = sorted(set(line.seeds.values()))
        places = sorted(set(line.ranks.values()))
        own = line.ranks.get(self.orders[0])
        return [
            line.name + UNVERIFIED * line.unverified,
            "–".join(map(str, (counts[0], counts[-1]) if len(counts) > 1 else counts)),
            f"{text(line.over.mean)} ± {text(line.over.std)}",
            ERROR.text(line.error_images, digits=digits),
            text(min(line.values.values())),
            text(max(line.values.values())),
            "–" if line.first is None else f"{line.first} of {len(self.orders)}",
            "–".join(map(str, (places[0], places[-1]) if len(places) > 1 else places)) or "–",
            text(line.values[self.orders[0]]) + (f" ({own})" if own else ""),
        ]


def orders_tables(
    rows: Iterable[Row],
    *,
    measure: str,
    trust: Mapping[str, str] | None = None,
    errors: Mapping[str, float] | None = None,
) -> list[OrdersTable]:
    """Return a table for each set of class orders that configurations of one scenario ran in.

    Only those with the same orders stand in one table. `measure` is a key of `MEASURES`. Upper bounds and rows that
    `trust` calls unverified have no rank, and these stand below; a row in which a record lacks the measure is left out.
    `errors` are standard errors of the measure from the test images, by content digest.
    """
    found = []
    for group, _ in sections(over_orders(rows)):
        several = [row for row in group if isinstance(row, OrdersRow) and row.stat(measure) is not None]
        if several:
            found.append(_table(several, measure, trust or {}, errors or {}))
    return found


def _table(
    rows: Sequence[OrdersRow], measure: str, trust: Mapping[str, str], errors: Mapping[str, float]
) -> OrdersTable:
    orders = tuple(rows[0].by_order)
    told = method_names(rows)
    values = [{order: _mean(row.by_order[order], measure) for order in orders} for row in rows]
    bounds = upper_bounds(rows)
    competing = [place for place, row in enumerate(rows) if row not in bounds and not is_unverified(row, trust)]
    ranks = {
        place: {order: 1 + sum(values[other][order] > values[place][order] for other in competing) for order in orders}
        for place in competing
    }
    lines = [
        OrdersLine(
            name=told[place],
            configuration=row.first.configuration,
            seeds={order: len(one.records) for order, one in row.by_order.items()},
            values=values[place],
            over=_stat(row, measure),
            luck=_luck(row, errors),
            ranks=ranks.get(place, {}),
            unverified=is_unverified(row, trust),
        )
        for place, row in enumerate(rows)
    ]
    usual = [values[place][orders[0]] for place in competing]
    agreement = {order: kendall(usual, [values[place][order] for place in competing]) for order in orders[1:]}
    return OrdersTable(
        scenario=rows[0].first.scenario.name,
        folder=record_scenario_id(rows[0].first),
        protocol=rows[0].first.protocol,
        heading=heading_of(rows[0]),
        orders=orders,
        lines=tuple(sorted(lines, key=lambda line: (line.unverified, -line.over.mean))),
        agreement={} if order_of(rows[0].first) else agreement,
    )


def _luck(row: OrdersRow, errors: Mapping[str, float]) -> dict[str, float]:
    told = {order: one.over(lambda record: errors.get(record.content)) for order, one in row.by_order.items()}
    return {order: found.mean for order, found in told.items() if found is not None}


def kendall(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Kendall's tau-b (Kendall 1945, Biometrika 33) of two lists of values: 1 for one ranking, -1 for reverse.

    NaN for fewer than two values, or where all values of a list are the same.

    >>> kendall([3.0, 2.0, 1.0], [3.0, 1.0, 2.0])  # one of three pairs is turned round
    0.3333333333333334
    """
    from scipy.stats import kendalltau

    return float(kendalltau(a, b).statistic) if len(a) > 1 else math.nan


def notes(table: OrdersTable, *, measure: str) -> list[str]:
    """Return what a reader must know before reading the table."""
    found = [
        f"{MEASURES[measure]}, in per cent: mean ± sample standard deviation over {len(table.orders)} class orders, "
        "after the mean over seeds in each. First: in how many of them no ranked row is higher. In brackets the rank "
        f"in {table.orders[0]} order."
    ]
    if any(line.error_images is not None for line in table.lines):
        found.append(f"{ERROR.title}: standard error from the luck of the test images, which all orders share.")
    known = {order: tau for order, tau in table.agreement.items() if not math.isnan(tau)}
    if known:
        ranked = sum(bool(line.ranks) for line in table.lines)
        each = ", ".join(f"{order} {tau:.2f}" for order, tau in known.items())
        mean = math.fsum(known.values()) / len(known)
        found.append(
            f"Agreement with the ranking of {table.orders[0]} order (Kendall's tau-b, {ranked} rows; 1: the same, "
            f"0: none): {each}; mean {mean:.2f}."
        )
    return found


def markdown(table: OrdersTable, said: Sequence[str]) -> str:
    """Return the table and its notes as Markdown."""
    lines = [f"**{table.heading}**", "", *grid_lines(table.grid), "", *(f"> {text}" for text in said)]
    return "\n".join(lines) + "\n"


def latex(table: OrdersTable, said: Sequence[str]) -> str:
    """Return the table in LaTeX, its notes in the caption."""
    return grid_table(table.grid, caption=" ".join([f"{table.heading}.", *said]), label=f"{table.folder}-orders")


def csv_text(tables: Iterable[OrdersTable]) -> str:
    """Return one line for each configuration and order, values as fractions."""
    lines = [
        [
            table.heading,
            line.name,
            line.configuration[:8],
            order,
            line.seeds[order],
            value,
            line.ranks.get(order),
            line.luck.get(order),
        ]
        for table in tables
        for line in table.lines
        for order, value in line.values.items()
    ]
    return as_csv(("table", "method", "configuration", "order", "seeds", "mean", "rank", ERROR.key), lines)


def _mean(row: Row, measure: str) -> float:
    return _stat(row, measure).mean


def _stat(row: Row, measure: str) -> Stat:
    found = row.stat(measure)
    assert found is not None  # rows without the measure were left out
    return found
