"""What a stream is: ordered sessions of images and labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clbench.data.table import LabelTable
from clbench.stream.pins.digest import StreamDigest, stream_digest

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Session:
    """One step of a stream: which images, which labels are new, and what the annotator marked.

    `new` is the slice of arrival columns that this session introduces and `learned` their number up to here. `targets`
    is int8 [images, seen]: 1 positive, 0 negative, -1 not known; `labels` names its columns. `seen` equals `learned`,
    except where the scenario shows all labels from the start. `rows` (train) and `test_rows` (the growing test set)
    are rows of the label table, both sorted by image id. Labels that are hidden in this session are nowhere in here.
    """

    index: int
    new: slice
    seen: int
    learned: int
    labels: tuple[str, ...]
    rows: Rows
    targets: npt.NDArray[np.int8]
    test_rows: Rows


@dataclass(frozen=True, eq=False)
class Stream:
    """The sessions of a scenario over a label table, with all columns in arrival order.

    `order` [K] maps an arrival column to the table's column. `test_rows` is the fixed test set. `val_rows` is the
    locked validation set: cut from train, never in a session, possibly empty. All rows are sorted by image id.
    """

    table: LabelTable
    order: Rows
    labels: tuple[str, ...]
    sessions: tuple[Session, ...]
    test_rows: Rows
    val_rows: Rows

    def truth(self, rows: Rows) -> npt.NDArray[np.int8]:
        """Return the labels of table rows, int8 [rows, K] in arrival order; for evaluation, never for training."""
        return np.take(self.table.y[rows], self.order, axis=1)

    def digest(self) -> StreamDigest:
        """Return the digests of this stream; see `clbench.stream.pins.digest`."""
        return self._digest

    @cached_property
    def _digest(self) -> StreamDigest:
        return stream_digest(self)
