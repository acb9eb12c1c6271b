"""Counts what a strategy stores, every session, and fails a run that stores more than its memories may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.stream.budget import most_stored


class OverBudgetError(RunError):
    """A strategy stores more than its memories may, or something that is not counted."""


@dataclass(frozen=True)
class Stored:
    """Distinct images and the bytes they would take: uint8 pixels at the recipe's size, labels, stored logits."""

    images: int
    bytes: int
    rows: npt.NDArray[np.int64]


def memories(strategy: Strategy) -> dict[str, Any]:
    """Return the strategy's memories by attribute name: whatever has `exemplars()` and a `limit`."""
    return {
        name: value
        for name, value in vars(strategy).items()
        if callable(getattr(value, "exemplars", None)) and hasattr(value, "limit")
    }


def count_stored(strategy: Strategy, *, image_size: int, image_bytes: int = 0) -> Stored:
    """Return what is stored now, an image taking `image_bytes` (0: those of its pixels).

    Raises OverBudgetError naming the memory that holds more than its budget, and where all of them hold
    more than the field `memory` says.
    """
    rows: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    extra = width = 0
    for name, memory in memories(strategy).items():
        held = memory.exemplars()
        distinct = len(np.unique(held.rows))
        allowed = int(memory.limit)
        if distinct > allowed:
            raise OverBudgetError(
                f"{type(strategy).__name__}.{name} holds {distinct} images; its budget is {allowed}.",
                hint="A memory drops exemplars before it takes more; see clbench.nn.memory.",
            )
        rows.append(np.asarray(held.rows, dtype=np.int64))
        width = max(width, held.targets.shape[1])
        extra += held.targets.nbytes + (0 if held.logits is None else int(np.asarray(held.logits).nbytes))
    distinct_rows = np.unique(np.concatenate(rows))
    most = most_stored(strategy.values(), labels=width)
    if most is not None and len(distinct_rows) > most:
        raise OverBudgetError(
            f"{type(strategy).__name__} holds {len(distinct_rows)} images; its field `memory` allows {most}.",
            hint="The field is what tables show: the images in all memories, or with `per_class` those per seen label.",
        )
    size = len(distinct_rows) * (image_bytes or 3 * image_size * image_size) + extra
    return Stored(images=len(distinct_rows), bytes=size, rows=distinct_rows)
