"""Whose clock the times of a record are of: those of two machines are no ratio."""

from __future__ import annotations

from collections.abc import Iterable

from clbench.records.record import Record

PARTS = ("device", "cpu_model", "cpu_capability", "threads", "world_size")
"""What of a record's environment says how fast it was. Names of hosts repeat: clouds call every machine alike."""


def machine(record: Record) -> tuple[str, ...]:
    """Return what tells the machine of a record from others: the host's name, processor, device and threads."""
    return (record.times.host, *(str(record.environment.get(part, "")) for part in PARTS))


def count_machines(records: Iterable[Record]) -> int:
    """Return how many machines the records are of, as far as they tell."""
    return len(set(map(machine, records)))
