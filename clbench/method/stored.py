"""Counts what a strategy stores, every session, and fails a run that stores more than its memories may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import RunError
from clbench.method.strategy import Strategy


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


def check_counted(strategy: Strategy, rows: npt.NDArray[np.int64], *, own: npt.NDArray[np.int64]) -> None:
    """Raise OverBudgetError unless each of the exemplars `rows` is held by a counted memory or is of this session.

    `rows` is [M], `own` [n].
    """
    held = [np.asarray(memory.exemplars().rows, dtype=np.int64) for memory in memories(strategy).values()]
    strange = np.setdiff1d(rows, np.concatenate([own, *held]))
    if len(strange):
        raise OverBudgetError(
            f"{type(strategy).__name__} rehearses row {strange[0]}, which none of its memories holds.",
            hint="Exemplars come from a memory of clbench.nn.memory kept as an attribute, so that they are counted.",
        )


def check_met(strategy: Strategy, stored: Stored, *, met: npt.NDArray[np.int64]) -> None:
    """Raise OverBudgetError when a memory holds a row that no session so far has shown.

    `met` is [n], every row shown so far.
    """
    strange = np.setdiff1d(stored.rows, met)
    if len(strange):
        raise OverBudgetError(
            f"{type(strategy).__name__} stores row {strange[0]}, which no session so far has shown.",
            hint="Store rows of `session.rows` or `batch.rows`.",
        )


def count_stored(strategy: Strategy, *, image_size: int, image_bytes: int = 0) -> Stored:
    """Return what is stored now, an image taking `image_bytes` (0: those of its pixels).

    Raises OverBudgetError naming the memory that holds more than its budget.
    """
    rows: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    extra = 0
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
        extra += held.targets.nbytes + (0 if held.logits is None else int(np.asarray(held.logits).nbytes))
    distinct_rows = np.unique(np.concatenate(rows))
    size = len(distinct_rows) * (image_bytes or 3 * image_size * image_size) + extra
    return Stored(images=len(distinct_rows), bytes=size, rows=distinct_rows)
