"""Ranks that do not claim more than the seeds show."""

from __future__ import annotations

from collections.abc import Sequence

from clbench.records.rows import Stat

RULE = (
    "Rows are ordered by the mean over seeds. A row shares the rank of the row that opened that rank when their seed "
    "intervals (mean ± sample standard deviation) overlap; otherwise its rank is its place. A single seed has an "
    "interval of no width: its rank is shown and is weak."
)
"""The rule, as printed under tables."""


def order(stats: Sequence[Stat | None], *, higher_is_better: bool) -> list[int]:
    """Return the indices best first; rows without the number come last, ties keep their order."""
    sign = -1.0 if higher_is_better else 1.0

    def place(index: int) -> tuple[bool, float]:
        stat = stats[index]
        return (True, 0.0) if stat is None else (False, sign * stat.mean)

    return sorted(range(len(stats)), key=place)


def ranks(ordered: Sequence[Stat | None]) -> list[int | None]:
    """Return the rank of each row of an ordered list, by `RULE`; None where there is no number."""
    found: list[int | None] = []
    opener: Stat | None = None
    rank = 0
    for place, stat in enumerate(ordered, start=1):
        if stat is None:
            found.append(None)
            continue
        if opener is None or not (stat.low <= opener.high and opener.low <= stat.high):
            opener, rank = stat, place
        found.append(rank)
    return found
