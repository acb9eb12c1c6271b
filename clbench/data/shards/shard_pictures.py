"""The pictures of a table whose photos lie in shards, as runs ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from clbench.data.pictures.decode import decode_bytes
from clbench.data.pictures.sources import Rows, of_row, resized
from clbench.data.shards.shards import Shards
from clbench.data.table import LabelTable


class ShardPictures:
    """An image source of pictures in shards, decoded and squashed as those of files are.

    The `paths` of such a table are the rows of the shards, as text. Where `buffer` is not 0, training reads the shards
    from end to end through a buffer of so many images (`clbench.train.batches.buffered_order`).
    """

    def __init__(self, shards: Shards, table: LabelTable, *, size: int, buffer: int = 0, lanes: int = 1) -> None:
        self.shards = shards
        self.size = size
        self.buffer, self.lanes = buffer, max(lanes, 1)
        self.rows: Rows = table.paths.astype(np.int64)

    def read(self, rows: Rows) -> torch.Tensor:
        """Return uint8 [n, 3, size, size]."""
        out = torch.empty(len(rows), 3, self.size, self.size, dtype=torch.uint8)
        for i, picture in enumerate(self.whole(rows)):
            out[i] = resized(picture, size=self.size)
        return out

    def whole(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Yield uint8 [3, h, w] for each of `rows`, decoded when it is asked for."""
        for place, row in zip(self.rows[rows].tolist(), rows.tolist(), strict=True):
            with of_row(row):
                data = self.shards.read(place, ahead=self.buffer > 0)
                picture = decode_bytes(data, place=self.shards.place(place))
            yield picture

    def places(self, rows: Rows) -> Rows:
        """Return where the pictures of `rows` lie in the row of all shards, [n]."""
        return self.rows[rows]

    def files(self, rows: Rows) -> Rows:
        """Return in which shard each of `rows` lies, [n]."""
        return self.shards.which(self.rows[rows])
