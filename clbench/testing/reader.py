"""How a trial reads pictures: those that are not a session's, not rehearsed and not counted are noticed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from clbench.data.table import LabelTable
from clbench.method.stored import OverBudgetError
from clbench.testing.world import Pictures

Rows = npt.NDArray[np.int64]


class UncountedError(OverBudgetError):
    """A strategy read a picture of another session that no memory holds: it stores images that nobody counts."""


class Reader:
    """Reads pictures as `Pictures` does. While `may_read` is set, other train rows than it returns are refused.

    `problem` keeps the first refusal. Test pictures are the affair of `Pictures.sealed`.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self.size = pictures.size
        self.may_read: Callable[[], Rows] | None = None
        self.problem: UncountedError | None = None

    @property
    def table(self) -> LabelTable:
        """The table whose pictures these are."""
        return self._pictures.table

    def read(self, rows: Rows) -> Tensor:
        """Return uint8 [n, 3, 16, 16]. Raises UncountedError, and OutOfReachError for sealed test pictures."""
        if self.may_read is not None:
            fine = self._pictures.is_test.copy()
            fine[self.may_read()] = True
            strange = rows[~fine[rows]]
            if len(strange):
                self.problem = self.problem or UncountedError(
                    f"row {strange.min()} of an earlier session was read, which no memory holds.",
                    hint="What is used again is stored in a memory of clbench.nn.memory, so that it is counted.",
                )
                raise self.problem
        return self._pictures.read(rows)
