"""How a row stands to the reference of the same configuration: equal to the last bit, or where it first differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from clbench.records.record import Record, configuration_digest, tuning_of
from clbench.records.rows import Row, identity
from clbench.report.table.diff import diff

_CAUSES = ("what was shown", "the strategy", "the code", "the machine")


@dataclass(frozen=True)
class Standing:
    """What comparing the AP of a row with its reference came to, over the seeds that both have."""

    kind: Literal["equal", "differs", "none"]
    seeds: tuple[int, ...] = ()
    """Those compared."""
    largest: float = 0.0
    """The largest difference of two AP, a fraction; infinite where one of them is not defined."""
    seed: int = 0
    session: int = 0
    """The first session that differs, from 0, and its first label."""
    label: str = ""
    protocol: int = 0
    """Of the reference that nothing is compared with, because it is of another protocol; 0 where there is none."""
    causes: tuple[str, ...] = ()
    """What else differs between the two records, each as `field: own | reference`."""

    def sentence(self) -> str:
        """Return what to tell of a difference."""
        size = "an AP that one of them lacks" if math.isinf(self.largest) else f"up to {100 * self.largest:.4g} points"
        where = f"first in session {self.session + 1} at {self.label!r}, seed {self.seed}"
        told = f"Recorded besides (here | there): {'; '.join(self.causes)}." if self.causes else "Nothing else differs."
        return f"differs by {size}, {where}. {told}"


def standing(row: Row, references: Iterable[Row]) -> Standing:
    """Return how `row` stands to the one of `references` with the same scenario, stream, protocol and configuration."""
    shipped = list(references)
    reference = {identity(other.first): other for other in shipped}.get(identity(row.first))
    theirs = {record.seed: record for record in reference.records} if reference else {}
    pairs = [(record, theirs[record.seed]) for record in row.records if record.seed in theirs]
    if not pairs:
        return Standing("none", protocol=next((r.first.protocol for r in shipped if _but_for_protocol(row, r)), 0))
    seeds = tuple(own.seed for own, _ in pairs)
    found = [(own, other, differences) for own, other in pairs if (differences := list(_differences(own, other)))]
    if not found:
        return Standing("equal", seeds)
    own, other, differences = found[0]
    _, session, label = differences[0]
    causes = tuple(f"{d.field}: {d.left} | {d.right}" for d in diff(own, other) if d.group in _CAUSES)
    largest = max(size for _, _, every in found for size, _, _ in every)
    return Standing("differs", seeds, largest, own.seed, session, own.labels[label], causes=causes)


def _but_for_protocol(row: Row, reference: Row) -> bool:
    """Return whether two rows are of the same configuration on the same stream, but of two protocols."""
    own, other = row.first, reference.first
    if own.protocol == other.protocol or own.scenario.stream != other.scenario.stream:
        return False
    strategy = other.strategy
    return own.configuration == configuration_digest(
        strategy.name, fields=strategy.fields, train=other.train, protocol=own.protocol, tuning=tuning_of(other)
    )


def _differences(own: Record, other: Record) -> Iterator[tuple[float, int, int]]:
    """Yield (size, session, label) of every AP that is not the same in both, by session and label."""
    tables = [(own.ap.growing, other.ap.growing), (own.ap.fixed, other.ap.fixed)]
    for session in range(len(own.ap.growing)):
        for label in range(len(own.labels)):
            for mine, theirs in tables:
                a, b = mine[session][label], theirs[session][label]
                if a != b:
                    yield (math.inf if a is None or b is None else abs(a - b)), session, label
