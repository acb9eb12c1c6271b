"""The label table of a data set whose labels are lists: what `LabelTable` promises, at the cost of the lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.labels import Entries, SparseLabels, SparseMembers, all_labels
from clbench.data.sparse.texts import NumberTexts, SidedTexts
from clbench.data.table import SPLITS, LabelTable, check_labels
from clbench.errors import DataError

STEP = 1 << 16
"""Rows that become text, or dense, together."""


@dataclass(frozen=True, eq=False)
class SparseTable(LabelTable):
    """A label table whose `y` is `SparseLabels` and whose `member` is where `y` is 1.

    `ids` and `paths` may be `NumberTexts`. Every digest is that of the dense table with the same content.
    """

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        self.validate()

    @property
    def sparse(self) -> SparseLabels:
        """The labels as what they are."""
        return cast("SparseLabels", self.y)

    def validate(self) -> None:
        """Raise DataError for labels that cannot be, lengths that differ and a split without images."""
        check_labels(self.name, self.labels)
        shape = (len(self.ids), len(self.labels))
        if self.sparse.shape != shape or len(self.paths) != shape[0] or self.split.shape != shape[:1]:
            raise DataError(
                f"{self.name}: {len(self.ids):,} ids, {len(self.paths):,} paths, {len(self.split):,} splits and labels "
                f"{list(self.sparse.shape)} for {len(self.labels):,} names do not fit each other."
            )
        for split in SPLITS:
            if not (self.split == split).any():
                raise DataError(f"{self.name}: the table has no {split} images.", hint="Every table needs both splits.")

    def positives(self, split: str) -> npt.NDArray[np.int64]:
        """Return how many images of a split carry each label, int64 [labels]."""
        return self.sparse.at(np.flatnonzero(self.split == split)).counts(1)

    def known(self, split: str) -> npt.NDArray[np.int64]:
        """Return of how many images of a split each label is known, present or absent, int64 [labels]."""
        chosen = self.sparse.at(np.flatnonzero(self.split == split))
        return len(chosen) - chosen.counts(-1)

    def truth(self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return labels int8 [rows, order], columns in that order."""
        return self.sparse.view(rows, order, shown=slice(None), width=len(order)).dense()

    def targets(
        self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64], *, shown: slice, width: int
    ) -> npt.NDArray[np.int8]:
        """Return a view int8 [rows, width], `SparseLabels`, in the column order `order`, unknown outside `shown`."""
        return cast("npt.NDArray[np.int8]", self.sparse.view(rows, order, shown=shown, width=width))

    def without(self, blank: npt.NDArray[np.bool_]) -> SparseTable:
        """Return the table with nothing known of the images where `blank` [n] is true."""
        return self._with(self.sparse.without(blank), labels=self.labels)

    def with_paths(self, paths: Any) -> SparseTable:
        """Return the table with other places of its images, [n] texts."""
        return replace(self, paths=paths)

    def with_rows(self, rows: npt.NDArray[np.int64]) -> SparseTable:
        """Return the table with these images [n] alone, in this order."""
        ids, paths = (_picked(texts, rows) for texts in (self.ids, self.paths))
        y: Any = self.sparse.at(rows)
        member: Any = SparseMembers(y)
        return replace(self, ids=ids, paths=paths, y=y, member=member, split=self.split[rows])

    def with_labels(self, columns: npt.NDArray[np.int64]) -> SparseTable:
        """Return the table with these columns [m] alone, in this order."""
        kept = self.sparse.view(np.arange(len(self)), columns, shown=slice(None), width=len(columns))
        return self._with(
            replace(kept, rows=self.sparse.rows), labels=tuple(self.labels[one] for one in columns.tolist())
        )

    def _with(self, y: SparseLabels, *, labels: tuple[str, ...]) -> SparseTable:
        member: Any = SparseMembers(y)
        return replace(self, labels=labels, y=cast("Any", y), member=member)

    def digest(self) -> str:
        """Return the SHA-256 that the dense table has, taken block by block."""
        ids = cast("NumberTexts | npt.NDArray[np.str_]", self.ids)
        order = ids.order() if isinstance(ids, NumberTexts) else np.argsort(ids, kind="stable")
        hasher = hashlib.sha256(b"clbench label table 1\n")
        hasher.update(_json([self.name, self.revision, list(self.labels)]) + b"\n")
        for texts in (ids, self.split):
            hasher.update(b"[")
            for first in range(0, len(order), STEP):
                part = order[first : first + STEP]
                if isinstance(texts, NumberTexts):
                    listed = b'"' + texts.joined(part, b'","') + b'"'
                else:
                    listed = _json(texts[part].tolist())[1:-1]
                hasher.update((b"," if first else b"") + listed)
            hasher.update(b"]\n")
        for block in self.sparse.at(order).blocks():
            hasher.update(block.data)
        for block in self.sparse.at(order).blocks():
            hasher.update((block == 1).data)
        return hasher.hexdigest()


def sparse_table(
    name: str,
    *,
    revision: str,
    labels: tuple[str, ...],
    ids: NumberTexts | npt.NDArray[np.str_],
    paths: Any,
    entries: Entries,
    test: npt.NDArray[np.bool_],
    notes: tuple[str, ...] = (),
) -> SparseTable:
    """Return the table of these lists; `test` [n] says which images are for testing. Raises DataError as it does."""
    y = all_labels(entries)
    return SparseTable(
        name=name,
        revision=revision,
        labels=labels,
        ids=cast("npt.NDArray[np.str_]", ids),
        paths=cast("npt.NDArray[np.str_]", paths),
        y=cast("npt.NDArray[np.int8]", y),
        member=cast("npt.NDArray[np.bool_]", SparseMembers(y)),
        split=np.where(test, "test", "train"),
        notes=notes,
    )


def listed(y: npt.NDArray[np.int8], *, unlisted: int = 0) -> Entries:
    """Return a dense matrix int8 [n, labels] as lists, in which what is `unlisted` (0 or -1) is left out."""
    rows, columns = np.nonzero(y != unlisted)
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(y)))]).astype(np.int64)
    return Entries(starts, columns.astype(np.int32), y[rows, columns], y.shape[1], unlisted)


def _picked(texts: Any, rows: npt.NDArray[np.int64]) -> Any:
    if isinstance(texts, SidedTexts):
        return replace(texts, numbers=texts.numbers[rows], second=texts.second[rows])
    return replace(texts, numbers=texts.numbers[rows]) if isinstance(texts, NumberTexts) else texts[rows]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def texts_in_order(ids: Any, rows: npt.NDArray[np.int64]) -> Iterator[bytes]:
    """Yield the ids of `rows` [n], a line each, in pieces of one body without an end of line."""
    for first in range(0, len(rows), STEP):
        part = rows[first : first + STEP]
        text = ids.joined(part, b"\n") if isinstance(ids, NumberTexts) else "\n".join(ids[part].tolist()).encode()
        yield (b"\n" if first else b"") + text
