"""Which labels stored images carry, as lists: what a memory weighs at a cost free of how many labels there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Slots = npt.NDArray[np.intp]
Targets = npt.NDArray[np.int8]
Values = npt.NDArray[np.float64]

NONE = -1
"""Fills a list up; as an index it is the last place, where `sums` expects a zero."""


def present(targets: Any) -> csr_array:
    """Return which labels are present, float64 [n, labels] of ones in compressed rows, columns rising.

    `targets` is [n, labels] in 1, 0 and -1: an array, or labels that are held as lists, which stay lists. What this
    returned is returned as it is.

    >>> present(np.array([[1, 0, 1], [-1, 1, 0]])).indices.tolist()
    [0, 2, 1]
    """
    from scipy.sparse import csr_array  # runs that weigh no labels do without it

    if isinstance(targets, csr_array):
        return targets
    images, labels = np.shape(targets)
    if hasattr(targets, "listed"):
        cells = [image[marks == 1] * labels + label[marks == 1] for image, label, marks in targets.listed()]
        cell = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *cells]))
    else:
        cell = np.flatnonzero(np.asarray(targets) == 1)
    starts = np.searchsorted(cell, labels * np.arange(images + 1))
    return csr_array((np.ones(len(cell)), cell % max(labels, 1), starts), shape=(images, labels))


class LabelLists:
    """The labels that are present in the image of each slot.

    `places` is int64 [longest, slots], each column the labels of an image in rising order, filled up with NONE: sums
    over labels run along slots, which is what processors add fastest. `sizes` int64 [slots] is how many they are.

    >>> lists = LabelLists(np.array([[1, 0, 1], [-1, 1, 0]], dtype=np.int8))
    >>> lists.places.tolist(), lists.sums(np.array([1.0, 10.0, 100.0, 0.0])).tolist(), lists.holding(2).tolist()
    ([[0, 1], [2, -1]], [101.0, 10.0], [0])
    """

    def __init__(self, targets: Any = None) -> None:
        self.places: npt.NDArray[np.int64] = np.empty((0, 0), dtype=np.int64)
        self.sizes: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        if targets is not None:
            found = present(targets)
            self.sizes = np.diff(found.indptr).astype(np.int64)
            self.places = np.full((int(self.sizes.max(initial=0)), len(targets)), NONE, dtype=np.int64)
            image = np.repeat(np.arange(len(targets)), self.sizes)
            self.places[np.arange(len(image)) - found.indptr[image], image] = found.indices

    def append(self, given: LabelLists) -> None:
        """Put the images of `given` into new slots."""
        longest = max(len(self.places), len(given.places))
        self.places = np.concatenate([_filled(self.places, longest), _filled(given.places, longest)], axis=1)
        self.sizes = np.concatenate([self.sizes, given.sizes])

    def put(self, slots: Slots, given: LabelLists) -> None:
        """Put the images of `given` [n] into `slots` [n]."""
        longest = max(len(self.places), len(given.places))
        self.places = _filled(self.places, longest)
        self.places[:, slots] = _filled(given.places, longest)
        self.sizes[slots] = given.sizes

    def take(self, slots: Slots) -> LabelLists:
        """Return the lists of `slots` [n], in the order given."""
        found = LabelLists()
        found.places, found.sizes = self.places[:, slots], self.sizes[slots]
        return found

    def of(self, slot: int) -> npt.NDArray[np.int64]:
        """Return the labels of one slot, [n]."""
        return self.places[: self.sizes[slot], slot]

    def holding(self, label: int) -> Slots:
        """Return the slots whose image carries `label`, rising; [n]."""
        return np.flatnonzero((self.places == label).any(axis=0))

    def sums(self, values: Values) -> Values:
        """Return the sum of `values` [labels + 1], the last of which is 0, over the labels of each slot; [slots]."""
        found: Values = values[self.places].sum(axis=0)
        return found

    def counts(self, labels: int) -> Values:
        """Return how many slots carry each of so many labels, [labels]."""
        # what fills lists up is counted as label 0 and left out again
        return np.bincount(self.places.ravel() + 1, minlength=labels + 1)[1:].astype(np.float64)


def _filled(places: npt.NDArray[np.int64], longest: int) -> npt.NDArray[np.int64]:
    if len(places) == longest:
        return places
    filling = np.full((longest - len(places), places.shape[1]), NONE, dtype=np.int64)
    return np.concatenate([places, filling])
