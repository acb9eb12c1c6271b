"""How a row stands to the reference of the same configuration: equal to the last bit, or where it first differs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from clbench.records.record import Record
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
    others = {identity(reference.first): reference for reference in references}
    reference = others.get(identity(row.first))
    theirs = {record.seed: record for record in reference.records} if reference else {}
    pairs = [(record, theirs[record.seed]) for record in row.records if record.seed in theirs]
    if not pairs:
        return Standing("none")
    seeds = tuple(own.seed for own, _ in pairs)
    found = [(own, other, differences) for own, other in pairs if (differences := list(_differences(own, other)))]
    if not found:
        return Standing("equal", seeds)
    own, other, differences = found[0]
    _, session, label = differences[0]
    causes = tuple(f"{d.field}: {d.left} | {d.right}" for d in diff(own, other) if d.group in _CAUSES)
    largest = max(size for _, _, every in found for size, _, _ in every)
    return Standing("differs", seeds, largest, own.seed, session, own.labels[label], causes)


def _differences(own: Record, other: Record) -> Iterator[tuple[float, int, int]]:
    """Yield (size, session, label) of every AP that is not the same in both, by session and label."""
    tables = [(own.ap.growing, other.ap.growing), (own.ap.fixed, other.ap.fixed)]
    for session in range(len(own.ap.growing)):
        for label in range(len(own.labels)):
            for mine, theirs in tables:
                a, b = mine[session][label], theirs[session][label]
                if a != b:
                    yield (math.inf if a is None or b is None else abs(a - b)), session, label
