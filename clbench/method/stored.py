"""Counts what a strategy keeps from one session to the next, and fails a run that stores or replays what it may not.

Images lie in memories, which have a budget; state is all else but the parameters of the network that scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.nn.distil import without_teachers
from clbench.nn.exemplars import Exemplars
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


class Replayable:
    """Which rows of a table of `size` images a session may show: its own, and those counted after the one before it.

    What a memory says when it is asked again plays no part: who told 24 images may replay these 24. `own` is [n],
    `counted` [M].
    """

    def __init__(self, own: npt.NDArray[np.int64], counted: npt.NDArray[np.int64], *, size: int) -> None:
        self._may = np.zeros(size, dtype=np.bool_)
        self._may[own] = True
        self._may[counted] = True

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """All of them, [n]."""
        return np.flatnonzero(self._may)

    def taken(self, given: Exemplars, *, strategy: Strategy) -> Exemplars:
        """Return a copy of what a strategy wants to replay. Raises OverBudgetError for a row that it may not.

        Targets are [M, width]. A copy, so that what is trained on is what was looked at.
        """
        rows = np.array(given.rows, dtype=np.int64)
        inside = (rows >= 0) & (rows < len(self._may))
        strange = rows[~inside | ~self._may[np.where(inside, rows, 0)]]
        if len(strange):
            raise OverBudgetError(
                f"{type(strategy).__name__} replays row {strange[0]}, which was not among the images counted after the "
                "session before.",
                hint="Exemplars come from a memory of clbench.nn.memory kept as an attribute, which holds them from "
                "one session to the next.",
            )
        logits = None if given.logits is None else np.array(given.logits, dtype=np.float32)
        return Exemplars(rows, np.array(given.targets, dtype=np.int8), logits)


def check_met(strategy: Strategy, stored: Stored, *, met: npt.NDArray[np.int64]) -> None:
    """Raise OverBudgetError when a memory holds a row that it can have from nowhere.

    `met` is [n]: the rows counted after the session before, and those of the session.
    """
    strange = np.setdiff1d(stored.rows, met)
    if len(strange):
        raise OverBudgetError(
            f"{type(strategy).__name__} stores row {strange[0]}, which is not of this session and was not among the "
            "images counted after the one before.",
            hint="Store rows of `session.rows` or `batch.rows`; what a memory has dropped does not come back.",
        )


def kept_values(strategy: Strategy) -> dict[str, Any]:
    """Return what a strategy keeps besides modules: neither hyper-parameters nor the module's own bookkeeping."""
    bookkeeping = set(vars(nn.Module()))
    skip = bookkeeping | set(strategy.fields_of())
    return {name: value for name, value in vars(strategy).items() if name not in skip and not name.startswith("_")}


def state_bytes(strategy: Strategy) -> int:
    """Return the bytes of every tensor and array kept now that is no parameter of the scored network.

    Gram matrices, statistics, graphs, text tables, and teachers with their buffers where one is held over a session's
    end. Not counted: memories, which `count_stored` counts, and buffers of `strategy.net` such as batch statistics,
    which go with its parameters. A tensor that two attributes share counts once.
    """
    held = {id(array): array for array in _arrays_beside_the_network(strategy)}
    return int(sum(array.nbytes for array in held.values()))


def _arrays_beside_the_network(strategy: Strategy) -> Iterator[Any]:
    counted_elsewhere = memories(strategy)
    for name, value in kept_values(strategy).items():
        if name not in counted_elsewhere:
            yield from arrays(value)
    parameters = {id(parameter) for parameter in without_teachers(strategy)}
    for name, tensor in strategy.state_dict(keep_vars=True).items():
        if not name.startswith("net.") and id(tensor) not in parameters:
            yield tensor


def arrays(value: Any) -> Iterator[Any]:
    """Yield every tensor and array that a value holds, in containers too and in the `state()` of objects."""
    if isinstance(value, (Tensor, np.ndarray)):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays(item)
    elif not isinstance(value, (type, ModuleType)) and callable(getattr(value, "state", None)):
        yield from arrays(value.state())
