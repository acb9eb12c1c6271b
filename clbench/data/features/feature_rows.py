"""Features of a label table's rows, in the place and the shape of what a backbone would make of pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.features.feature_file import FeatureFile
from clbench.data.table import LabelTable

MAPPED = 1 << 28
"""Bytes of features that are read before the file is mapped anew."""


def map_shape(features: FeatureFile) -> tuple[int, int, int]:
    """Return (c, h, w) of a row as a feature map: a vector has one position, tokens lie below each other."""
    inner = features.shape[1:]
    if len(inner) == 3:
        return inner[0], inner[1], inner[2]
    return inner[-1], inner[0] if len(inner) == 2 else 1, 1


class FeatureRows:
    """An image source whose pictures are stored features: `read` gives float32 maps [n, c, h, w].

    The `paths` of a table of features are the rows of the file, as text.
    """

    size = 1

    def __init__(self, features: FeatureFile, table: LabelTable) -> None:
        self.features = features
        self.rows: npt.NDArray[np.int64] = table.paths.astype(np.int64)
        self.shape = map_shape(features)
        self._map: npt.NDArray[np.generic] | None = None
        self._touched = 0

    def read(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return float32 [n, c, h, w]."""
        if self._map is None:  # opened late so that loader workers map the file themselves
            self._map = self.features.array()
        block = torch.from_numpy(self.features.numbers(self._map[self.rows[rows]]))
        self._touched += block.nbytes
        if self._touched > MAPPED:  # what was read may leave memory
            self._map, self._touched = None, 0
        if block.ndim == 3:
            block = block.transpose(1, 2)
        return block.reshape(len(rows), *self.shape)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_map": None}
