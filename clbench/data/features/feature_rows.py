"""Features of a label table's rows, in the place and the shape of what a backbone would make of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.features.feature_file import Features
from clbench.data.table import LabelTable

MAPPED = 1 << 28
"""Bytes of features that are read before the file is mapped anew."""


def map_shape(features: Features) -> tuple[int, int, int]:
    """Return (c, h, w) of a row as a feature map: a vector has one position, tokens lie below each other."""
    inner = features.shape[1:]
    if len(inner) == 3:
        return inner[0], inner[1], inner[2]
    return inner[-1], inner[0] if len(inner) == 2 else 1, 1


class FeatureRows:
    """An image source whose pictures are stored features: `read` gives float32 maps [n, c, h, w].

    The `paths` of a table of features are the rows of the files, as text. Where `buffer` is not 0, training reads the
    files from end to end through a buffer of so many images (`clbench.train.batches.buffered_order`).
    """

    size = 1

    def __init__(self, features: Features, table: LabelTable, *, buffer: int = 0, lanes: int = 1) -> None:
        self.features = features
        self.buffer, self.lanes = buffer, max(lanes, 1)
        self.rows: npt.NDArray[np.int64] = table.paths.astype(np.int64)
        self.shape = map_shape(features)
        self._starts = features.starts()
        self._maps: dict[int, Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]] = {}
        self._touched = 0

    def read(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return float32 [n, c, h, w]."""
        places = self.rows[rows]
        which = self.files(rows)
        found = np.empty((len(rows), *self.features.shape[1:]), dtype=np.float32)
        for shard in np.unique(which).tolist():
            file = self.features.files[shard]
            if shard not in self._maps:  # opened late so that loader workers map the file themselves
                self._maps[shard] = file.reader()
            mine = which == shard
            found[mine] = file.numbers(self._maps[shard](places[mine] - self._starts[shard]))
        self._touched += found.nbytes
        if self._touched > MAPPED:  # what was read may leave memory
            self._maps, self._touched = {}, 0
        block = torch.from_numpy(found)
        if block.ndim == 3:
            block = block.transpose(1, 2)
        return block.reshape(len(rows), *self.shape)

    def places(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return where the features of `rows` lie in the row of all files, [n]."""
        return self.rows[rows]

    def files(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return in which file the features of each of `rows` lie, [n]."""
        found: npt.NDArray[np.int64] = np.searchsorted(self._starts, self.rows[rows], side="right") - 1
        return found

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_maps": {}}
