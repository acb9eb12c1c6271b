"""Rows over class orders: what one configuration reached in several orders of one scenario."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from clbench.records.orders import order_of, own_digest, shown_order
from clbench.records.record import Record
from clbench.records.rows import Row, Stat, published_weights, stat


@dataclass(frozen=True, eq=False)
class OrdersRow(Row):
    """Records of one configuration in several class orders, which are never taken for seeds of one.

    A number of it is the mean over the orders of the means over seeds, and its spread is that between the orders.
    """

    @cached_property
    def by_order(self) -> dict[str, Row]:
        """The row of each order by its name, the scenario's own first."""
        found: dict[str, list[Record]] = {}
        for record in self.records:
            found.setdefault(shown_order(record), []).append(record)
        return {name: Row(tuple(records), self.reference) for name, records in found.items()}

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that any order has, ascending."""
        return tuple(sorted({record.seed for record in self.records}))

    @property
    def units(self) -> tuple[tuple[Record, ...], ...]:
        """The records of each order, whose mean counts as one."""
        return tuple(row.records for row in self.by_order.values())

    def stat(self, name: str) -> Stat | None:
        """Return the summary number `name` over the orders, or None when a record lacks it."""
        return self.over(lambda record: record.summary.get(name))

    def over(self, read: Callable[[Record], float | None]) -> Stat | None:
        """Return any number that `read` takes from a record, over the orders."""
        means = [row.over(read) for row in self.by_order.values()]
        return stat(None if mean is None else mean.mean for mean in means)


def over_orders(rows: Iterable[Row]) -> list[Row]:
    """Return the rows in their scenarios' own orders, and one row for each configuration that has several orders.

    Rows of single orders are part of these and no longer alone; a configuration that ran in one other order only keeps
    its row. Reference rows and own runs are not put together.
    """
    families: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        families.setdefault(_family(row), []).append(row)
    alone: list[Row] = []
    together: list[Row] = []
    for family in families.values():
        by_order = {order_of(row.first): row for row in family}
        if not len(family) == len(by_order) > 1:
            alone += family  # of two rows in one order something else differs
            continue
        alone += [row for order, row in by_order.items() if not order]
        records = tuple(record for order in sorted(by_order, key=order_rank) for record in by_order[order].records)
        together.append(OrdersRow(records, reference=family[0].reference))
    return alone + together


def times_first(
    rows: Sequence[OrdersRow], read: Callable[[Record], float | None], *, higher_is_better: bool = True
) -> list[int]:
    """Return in how many of their class orders each of `rows` is not surpassed by another, by its mean over seeds."""
    counts = [0] * len(rows)
    for order in rows[0].orders:
        means = [row.by_order[order].over(read) for row in rows]
        known = [mean.mean for mean in means if mean is not None]
        best = (max if higher_is_better else min)(known, default=None)
        counts = [count + (mean is not None and mean.mean == best) for count, mean in zip(counts, means, strict=True)]
    return counts


def order_rank(order: str) -> tuple[str, int]:
    """Return by what orders are sorted: the scenario's own, then by name, shuffles by their seed."""
    name, _, seed = order.partition(":")
    return name, int(seed) if re.fullmatch(r"[0-9]{1,18}", seed) else 0


def _family(row: Row) -> tuple[object, ...]:
    """What rows of one configuration share that differ in nothing but their class order."""
    first = row.first
    about = first.scenario
    return (
        row.reference,
        about.name,
        about.version,
        about.dataset,
        about.stand_in,
        about.data.digest,
        about.data.photos,
        own_digest(first),
        "unpinned" in first.marks,
        first.protocol,
        first.strategy.name,
        first.configuration,
        published_weights(first),
        len(about.sessions),
    )
