"""A matrix of labels that is held as lists (compressed sparse rows) and becomes dense where part of it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.reads_as_array import ReadsAsArray

Ints = npt.NDArray[np.integer[Any]]
Block = npt.NDArray[np.int8]

BLOCK = 1 << 22
"""Listed or dense entries that are looked at together."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Compressed sparse rows: entries `starts[i]` to `starts[i + 1]` are those of row i.

    `starts` is int64 [n + 1], `columns` int32 [entries], rising within a row, `marks` int8 [entries] with 1 present,
    0 absent and -1 unknown, or None where all are present. `unlisted` is what every other entry is: 0 or -1. `width` is
    the number of columns. The arrays may be mapped files.
    """

    starts: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int32]
    marks: Block | None
    width: int
    unlisted: int


@dataclass(frozen=True, eq=False)
class SparseLabels(ReadsAsArray):
    """Labels int8 [rows, columns] in 1, 0 and -1 for unknown: a view of `entries` that holds no copy of them.

    `rows` [n] picks rows (None: all), `place` [stored columns] says in which column a stored one stands here (-1: in
    none), `width` how many there are. Columns outside `shown` are unknown throughout, as are rows that are `blank`.

    Indexing gives plain arrays; `at` and `view` give views. What NumPy does with a whole matrix works and makes it
    dense, so nothing that runs at scale does it.

    >>> entries = Entries(np.array([0, 2, 3]), np.array([0, 2, 1], dtype=np.int32), None, width=3, unlisted=0)
    >>> whole = all_labels(entries)
    >>> whole[np.array([1, 0])].tolist(), whole.counts(1).tolist()
    ([[0, 1, 0], [1, 0, 1]], [1, 1, 1])
    >>> # label 2 hidden, label 1, and a column that is none of theirs
    >>> whole.view(np.array([1]), np.array([2, 1]), shown=slice(1, 2), width=3).tolist()
    [[-1, 1, -1]]
    """

    entries: Entries
    rows: npt.NDArray[np.int64] | None
    place: npt.NDArray[np.int32]
    width: int
    shown: slice
    blank: npt.NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.width

    def __len__(self) -> int:
        return len(self.entries.starts) - 1 if self.rows is None else len(self.rows)

    def at(self, rows: Ints) -> SparseLabels:
        """Return the rows at the positions `rows` [m], as a view."""
        rows = np.asarray(rows)
        return replace(self, rows=rows.astype(np.int64) if self.rows is None else self.rows[rows])

    def view(self, rows: Ints, order: Ints, *, shown: slice, width: int) -> SparseLabels:
        """Return a view of the positions `rows` whose column j is column `order[j]` of this one.

        Columns outside `shown`, up to `width`, are unknown.
        """
        here = np.full(self.width + 1, -1, dtype=np.int32)
        here[order] = np.arange(len(order), dtype=np.int32)
        here[-1] = -1  # what this view leaves out
        return replace(self.at(rows), place=here[self.place], width=width, shown=shown)

    def first(self, width: int) -> SparseLabels:
        """Return the first `width` columns, as a view."""
        shown = slice(*self.shown.indices(self.width)[:2])
        return self.view(np.arange(len(self)), np.arange(width), shown=shown, width=width)

    def without(self, blank: npt.NDArray[np.bool_]) -> SparseLabels:
        """Return the labels with nothing known of the rows where `blank` [n] is true."""
        stored = np.zeros(len(self.entries.starts) - 1, dtype=np.bool_)
        stored[slice(None) if self.rows is None else self.rows] = blank
        return replace(self, blank=stored)

    def __getitem__(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        single = isinstance(rows, (int, np.integer))
        chosen = np.arange(len(self))[[rows] if single else rows]
        view = self.at(chosen)
        if isinstance(columns, slice):
            wanted = np.arange(self.width)[columns]
            here = np.full(self.width + 1, -1, dtype=np.int32)
            here[wanted] = np.arange(len(wanted), dtype=np.int32)
            begin, end, _ = self.shown.indices(self.width)
            lit = (wanted >= begin) & (wanted < end)
            found = replace(view, place=here[self.place], width=len(wanted), shown=slice(None)).dense()
            found[:, ~lit] = -1
        elif isinstance(rows, slice) or isinstance(columns, (int, np.integer)):
            found = view.dense()[:, columns]
        else:
            found = view.dense()[np.arange(len(chosen)), columns]
        return found[0] if single else found

    def dense(self) -> Block:
        """Return all of it as an array int8 [rows, columns]."""
        out = np.full(self.shape, -1, dtype=np.int8)
        out[:, self.shown] = self.entries.unlisted
        if self.blank is not None:
            out[self.blank if self.rows is None else self.blank[self.rows]] = -1
        for owner, column, mark in self.listed():
            out[owner, column] = mark
        return out

    def listed(self) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Block]]:
        """Yield the entries that are listed and shown in blocks, in order: row and column here, and the mark."""
        entries, number = self.entries, len(self)
        begin, end, _ = self.shown.indices(self.width)
        ends = self._listed_before
        first = 0
        while first < number:
            last = max(int(np.searchsorted(ends, ends[first] + BLOCK, side="right")) - 1, first + 1)
            chosen = np.arange(first, last) if self.rows is None else self.rows[first:last]
            counts = ends[first + 1 : last + 1] - ends[first:last]
            if self.rows is None:
                span: Any = slice(int(entries.starts[first]), int(entries.starts[last]))
            else:
                jumps = entries.starts[chosen] - (ends[first:last] - ends[first])
                span = np.repeat(jumps, counts) + np.arange(int(counts.sum()))
            column = self.place[entries.columns[span]]
            owner = np.repeat(np.arange(first, last), counts)
            mark = np.ones(len(column), dtype=np.int8) if entries.marks is None else np.asarray(entries.marks[span])
            keep = (column >= begin) & (column < end)
            if self.blank is not None:
                keep &= ~self.blank[chosen][owner - first]
            yield owner[keep], column[keep], mark[keep]
            first = last

    @cached_property
    def _listed_before(self) -> npt.NDArray[np.int64]:
        """How many entries are stored for the rows before each, [n + 1]."""
        starts = np.asarray(self.entries.starts)
        if self.rows is None:
            before: npt.NDArray[np.int64] = starts - starts[0]
            return before
        return np.concatenate([[0], np.cumsum(starts[self.rows + 1] - starts[self.rows])])

    def blocks(self) -> Iterator[Block]:
        """Yield dense blocks of rows, together all of them, each of a few million entries."""
        step = max(1, BLOCK // max(1, self.width))
        for first in range(0, len(self), step):
            yield self.at(np.arange(first, min(first + step, len(self)))).dense()

    def counts(self, mark: int) -> npt.NDArray[np.int64]:
        """Return how many rows of each column are 1, 0 or -1, whichever `mark` is; int64 [columns]."""
        found, listed = np.zeros(self.width, dtype=np.int64), np.zeros(self.width, dtype=np.int64)
        for _, column, marks in self.listed():
            found += np.bincount(column[marks == mark], minlength=self.width)
            listed += np.bincount(column, minlength=self.width)
        blank = 0 if self.blank is None else int(self.blank[self.rows if self.rows is not None else slice(None)].sum())
        rest = np.full(self.width, len(self) if mark == -1 else 0)
        rest[self.shown] = (len(self) - blank if mark == self.entries.unlisted else 0) + (blank if mark == -1 else 0)
        if mark == self.entries.unlisted:
            rest[self.shown] -= listed[self.shown]
        found += rest
        return found

    def any_of(self, groups: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.bool_]:
        """Return bool [groups, rows]: whether a row is 1 in one of the columns of each group, no two of which meet."""
        group = np.full(self.width, -1, dtype=np.int32)
        for index, columns in enumerate(groups):
            group[columns] = index
        found = np.zeros((len(groups), len(self)), dtype=np.bool_)
        for owner, column, marks in self.listed():
            mine = group[column]
            hits = (marks == 1) & (mine >= 0)
            found[mine[hits], owner[hits]] = True
        return found


def as_lists(labels: object) -> SparseLabels | None:
    """Return labels that are held as lists as what they are, and None for a plain array."""
    return labels if isinstance(labels, SparseLabels) else None


def all_labels(entries: Entries) -> SparseLabels:
    """Return the labels of all rows and columns."""
    place = np.arange(entries.width, dtype=np.int32)
    return SparseLabels(entries, None, place, entries.width, slice(None))


@dataclass(frozen=True, eq=False)
class SparseMembers:
    """Whether images belong to labels' pools, bool [rows, columns], where that is the same as being positive."""

    labels: SparseLabels

    def __getitem__(self, rows: Any) -> SparseMembers:
        chosen = np.flatnonzero(rows) if np.asarray(rows).dtype == np.bool_ else rows
        return SparseMembers(self.labels.at(chosen))

    def any_of(self, groups: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.bool_]:
        """Return bool [groups, rows]: whether a row is a member of one of each group's columns."""
        return self.labels.any_of(groups)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = self.labels.dense() == 1
        return found

    def take(self, columns: Any, axis: int, **_: Any) -> npt.NDArray[np.bool_]:
        """Return columns as an array; what `np.take` asks for."""
        found: npt.NDArray[np.bool_] = np.take(np.asarray(self), columns, axis=axis)
        return found
