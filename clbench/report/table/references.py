"""Columns that set a row beside another of its table: joint training, or plain training on one session at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from clbench.metrics.against_reference import forgetting_share, forward_transfer, just_learned
from clbench.records.record import Record
from clbench.records.rows import Row, is_static
from clbench.records.verify.findings import LEVELS
from clbench.report.table.columns import Measured

Aps = npt.NDArray[np.float64]

AGAINST = ("forward_transfer", "forgetting_over_joint", "forgetting_over_single")
"""The columns, as `clbench.metrics.NAMES` defines them."""


def against_references(sections: Sequence[Sequence[Row]], *, trust: Mapping[str, str]) -> Measured:
    """Return the columns `AGAINST` of the rows of every table; rows whose table lacks the reference have none.

    A reference has the recipe and the head of the row, joint training where there is none of its head that of another,
    and no seed that contradicts itself. Its AP are the means over its seeds, on the fixed test set.
    """
    found: dict[str, dict[str, float]] = {key: {} for key in AGAINST}
    for rows in sections:
        believed = [row for row in rows if all(trust.get(r.content) != LEVELS[0] for r in row.records)]
        joint = [row for row in believed if is_static(row.first) and row.first.strategy.name == "joint"]
        plain = [row for row in believed if row.first.strategy.name == "naive" and not _changed(row)]
        for row in rows:
            if is_static(row.first):
                continue
            bound = _mean(_fitting(row, joint, any_head=True), lambda record: _fixed(record)[-1])
            single = _mean(_fitting(row, plain), lambda record: just_learned(_fixed(record), record.learned))
            for record in row.records:
                for key, measure, reference in (
                    ("forward_transfer", forward_transfer, single),
                    ("forgetting_over_joint", forgetting_share, bound),
                    ("forgetting_over_single", forgetting_share, single),
                ):
                    if reference is not None:
                        value = measure(_fixed(record), record.learned, reference)
                        found[key] |= {record.content: value} if value == value else {}
    return found


def _fitting(row: Row, others: Sequence[Row], *, any_head: bool = False) -> Row | None:
    same = [other for other in others if other.first.train == row.first.train]
    head = [other for other in same if other.first.strategy.head == row.first.strategy.head]
    return next(iter(head or (same if any_head else [])), None)


def _changed(row: Row) -> bool:
    return any(name != "head" for name in row.first.strategy.changed)


def _mean(row: Row | None, read: Callable[[Record], Aps]) -> Aps | None:
    return None if row is None else np.asarray(np.mean([read(record) for record in row.records], axis=0))


def _fixed(record: Record) -> Aps:
    return np.array(record.ap.fixed, dtype=np.float64)
