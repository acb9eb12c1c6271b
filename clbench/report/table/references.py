"""Columns that set a row beside another of its table: joint training, or plain training on one session at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

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

    A reference has the recipe and the head of the row and no seed that contradicts itself; of joint training see
    `bound_of`. Its AP are the means over its seeds, on the fixed test set.
    """
    found: dict[str, dict[str, float]] = {key: {} for key in AGAINST}
    for rows in sections:
        believed = [row for row in rows if all(trust.get(r.content) != LEVELS[0] for r in row.records)]
        joint = [row for row in believed if is_static(row.first) and row.first.strategy.name == "joint"]
        plain = [row for row in believed if row.first.strategy.name == "naive" and not _changed(row)]
        for row in rows:
            if is_static(row.first):
                continue
            bound = _mean(bound_of(row, joint), lambda record: _fixed(record)[-1])
            single = _mean(next(_like(row, plain), None), lambda record: just_learned(_fixed(record), record.learned))
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


def bound_of(row: Row, bounds: Sequence[Row]) -> Row | None:
    """Return the row of joint training that bounds `row`: with its recipe, and its head where there is one of that.

    The bound has epochs of its own (`bound:` of a scenario), so these alone may differ, where both rows trained as the
    scenario says or neither did. Of several the highest last mAP bounds.
    """
    marked = "changed-train" in row.marks
    same = [
        bound
        for bound in bounds
        if bound.first.train == row.first.train
        or (("changed-train" in bound.marks) == marked and _but_epochs(bound) == _but_epochs(row))
    ]
    same = [bound for bound in same if bound.first.strategy.head == row.first.strategy.head] or same
    return max(same, key=lambda bound: stat.mean if (stat := bound.stat("last_map")) else -math.inf, default=None)


def _but_epochs(row: Row) -> dict[str, object]:
    return {name: value for name, value in row.first.train.items() if name not in ("epochs", "base_epochs")}


def _like(row: Row, others: Sequence[Row]) -> Iterator[Row]:
    for other in others:
        if other.first.train == row.first.train and other.first.strategy.head == row.first.strategy.head:
            yield other


def _changed(row: Row) -> bool:
    return any(name != "head" for name in row.first.strategy.changed)


def _mean(row: Row | None, read: Callable[[Record], Aps]) -> Aps | None:
    return None if row is None else np.asarray(np.mean([read(record) for record in row.records], axis=0))


def _fixed(record: Record) -> Aps:
    return np.array(record.ap.fixed, dtype=np.float64)
