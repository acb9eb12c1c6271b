"""Believed labels of stored images, beside the known ones and never in their place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clbench.nn.memory import Exemplars, Rows, Targets

Below = Literal["confident", "negative", "keep"]


def believed(targets: Tensor, scores: Tensor, *, threshold: float, below: Below) -> Tensor:
    """Return `targets` [B, L] in {0, 1, NaN} with unknown entries of the first O labels decided by `scores` [B, O].

    Present above `threshold`; absent below 1 - threshold ("confident"), everywhere else ("negative") or nowhere
    ("keep"). A threshold above 1 decides nothing unless absence is the default. What is known is never overruled.
    """
    part = targets[:, : scores.shape[1]]
    least = {"confident": 1 - threshold, "negative": float("inf"), "keep": float("-inf")}[below]
    decided = torch.where(scores < least, torch.zeros_like(part), part)
    decided = torch.where(scores > threshold, torch.ones_like(part), decided)
    return torch.cat([torch.where(part.isnan(), decided, part), targets[:, scores.shape[1] :]], dim=1)


class BelievedLabels:
    """What networks believed of labels that are unknown of stored images: int8 [n, width], -1 where nothing.

    A belief is written once, by the network of its session, and gives way to a label that becomes known. The memory
    itself is never written to, so known labels stay what they are to the bit.
    """

    def __init__(self) -> None:
        self.rows: Rows = np.empty(0, dtype=np.int64)
        self.labels: Targets = np.empty((0, 0), dtype=np.int8)

    def follow(self, rows: npt.NDArray[np.int64], *, width: int) -> None:
        """Keep what is believed of the images `rows` [n] and forget the others."""
        labels = np.full((len(rows), width), -1, dtype=np.int8)
        mine, found = self._places(rows)
        labels[mine, : self.labels.shape[1]] = self.labels[found]
        self.rows, self.labels = np.array(rows, dtype=np.int64), labels

    def _places(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        _, mine, found = np.intersect1d(rows, self.rows, assume_unique=True, return_indices=True)
        return mine, found

    def write(self, rows: npt.NDArray[np.int64], labels: Targets, *, columns: slice) -> None:
        """Write beliefs int8 [n, columns] of images that are followed, where there is none yet."""
        mine, found = self._places(rows)
        held = self.labels[found, columns]
        self.labels[found, columns] = np.where(held < 0, labels[mine], held)

    def completed(self, held: Exemplars) -> Exemplars:
        """Return exemplars whose unknown labels are what is believed of them."""
        targets = held.targets.copy()
        mine, found = self._places(held.rows)
        width = min(targets.shape[1], self.labels.shape[1])
        part = targets[mine, :width]
        targets[mine, :width] = np.where(part < 0, self.labels[found, :width], part)
        return Exemplars(held.rows, targets, held.logits)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything as arrays."""
        return {"rows": self.rows.copy(), "labels": self.labels.copy()}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned."""
        self.rows = np.array(state["rows"], dtype=np.int64)
        self.labels = np.array(state["labels"], dtype=np.int8)
