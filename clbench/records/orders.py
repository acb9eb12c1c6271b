"""The class order of a record."""

from __future__ import annotations

from msgspec import UNSET

from clbench.records.schema import Record


def order_of(record: Record) -> str:
    """Return the name of the record's class order, empty for its scenario's own."""
    return "" if record.scenario.order is UNSET else record.scenario.order.name


def own_digest(record: Record) -> str:
    """Return the digest of the record's scenario in its own order."""
    return record.scenario.digest if record.scenario.order is UNSET else record.scenario.order.scenario


def shown_order(record: Record) -> str:
    """Return what the record's class order is called, also where it is its scenario's own."""
    return order_of(record) or ("alphabetical" if record.labels == sorted(record.labels) else "own")
