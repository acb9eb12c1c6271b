"""Refuses what a session replays or stores and was not counted after the session before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clbench.method.stored import OverBudgetError, Stored
from clbench.method.strategy import Strategy
from clbench.nn.exemplars import Exemplars


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
