"""Labels of images that several sessions show, each its own columns, held as the lists that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.labels import BLOCK, Block, Ints, SparseLabels
from clbench.data.sparse.reads_as_array import ReadsAsArray


@dataclass(frozen=True, eq=False)
class MergedLabels(ReadsAsArray):
    """Labels int8 [rows, columns], wherever one of `parts` knows an entry what it says, else -1; made dense in parts.

    The parts are views of one table, of the same rows and columns, of which each shows others.

    >>> from clbench.data.sparse.labels import Entries, all_labels
    >>> whole = all_labels(Entries(np.array([0, 2, 3]), np.array([0, 1, 1], dtype=np.int32), None, width=2, unlisted=0))
    >>> rows, order = np.arange(2), np.arange(2)
    >>> first = whole.view(rows, order, shown=slice(0, 1), width=2)
    >>> second = whole.view(rows, order, shown=slice(1, 2), width=2).without(np.array([True, False]))
    >>> MergedLabels((first, second)).dense().tolist()
    [[1, -1], [0, 1]]
    """

    parts: tuple[SparseLabels, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.parts[0].shape

    def __len__(self) -> int:
        return len(self.parts[0])

    def at(self, rows: Ints) -> MergedLabels:
        """Return the rows at the positions `rows` [m], as a view."""
        return MergedLabels(tuple(part.at(rows) for part in self.parts))

    def first(self, width: int) -> MergedLabels:
        """Return the first `width` columns, as a view."""
        return MergedLabels(tuple(part.first(width) for part in self.parts))

    def __getitem__(self, key: Any) -> Any:
        return np.maximum.reduce([part[key] for part in self.parts])  # unknown < negative < positive

    def dense(self) -> Block:
        """Return all of it as an array int8 [rows, columns]."""
        found: Block = np.maximum.reduce([part.dense() for part in self.parts])
        return found

    def listed(self) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Block]]:
        """Yield the entries that parts list, part after part: row and column here, and the mark."""
        for part in self.parts:
            yield from part.listed()

    def blocks(self) -> Iterator[Block]:
        """Yield dense blocks of rows, together all of them, each of a few million entries."""
        step = max(1, BLOCK // max(1, self.shape[1]))
        for first in range(0, len(self), step):
            yield self.at(np.arange(first, min(first + step, len(self)))).dense()

    def counts(self, mark: int) -> npt.NDArray[np.int64]:
        """Return how many rows of each column are 1, 0 or -1, whichever `mark` is; int64 [columns]."""
        found = np.zeros(self.shape[1], dtype=np.int64)
        for block in self.blocks():
            found += (block == mark).sum(axis=0)
        return found


def first_columns(labels: Any, width: int) -> Any:
    """Return the first `width` columns of labels [rows, columns]; of lists a view."""
    lists = in_lists(labels)
    return labels[:, :width] if lists is None else lists.first(width)


def in_lists(labels: object) -> SparseLabels | MergedLabels | None:
    """Return labels that are held as lists, merged ones too, as what they are, and None for a plain array."""
    return labels if isinstance(labels, (SparseLabels, MergedLabels)) else None
