"""Average precision from histograms that are filled while images are scored, with bounds that always hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clbench.metrics.inputs import Floats, Targets

Values = npt.NDArray[np.float64]

RANGE = 18.0
"""Logits beyond this, either way, are counted with those at its ends: float32 probabilities end at about 17."""
FEWEST, MOST = 1024, 16384
"""Bins a label has at least and at most."""
WAITING = 16 << 20
"""Places of rows that wait to be counted: label after label, so that what is counted into stays near the processor."""
TOGETHER = 1 << 18
"""Logits whose bins are found together."""


def bins_within(memory: int, *, labels: int) -> int:
    """Return how many bins a label can have, a power of two, where so many bytes are given to all labels.

    >>> bins_within(256 << 20, labels=1000), bins_within(256 << 20, labels=10_000)
    (16384, 2048)
    """
    room = max(memory // (8 * labels), 1)
    return min(max(1 << (room.bit_length() - 1), FEWEST), MOST)


class StreamedAP:
    """Average precision of every label from two histograms over its logits, known rows alone counting.

    Bins have one width. Inside a bin the order of rows is unknown, so the value lies between that with every negative
    of a bin ahead of its positives and that with all its positives in one tie ahead of them; in between is the value
    with each bin as one tie. State: 8 bytes a label and bin, whatever the number of images, and 32 MB that wait.

    >>> found = StreamedAP(1, bins=4096)
    >>> found.add(np.array([[2.0], [1.0], [-1.0]], dtype=np.float32), np.array([[1], [0], [1]], dtype=np.int8))
    >>> [round(float(value[0]), 4) for value in found.values()]  # (1/1 + 2/3) / 2, the rows being far apart
    [0.8333, 0.8333, 0.8333]
    """

    def __init__(self, labels: int, *, bins: int) -> None:
        self.bins = bins
        self.all = np.zeros((labels, bins), dtype=np.uint32)
        self.positive = np.zeros((labels, bins), dtype=np.uint32)
        self._waiting = np.empty((labels, max(WAITING // max(labels, 1), 1)), dtype=np.uint16)
        self._rows = 0

    def add(self, logits: Floats, targets: Targets) -> None:
        """Count rows: logits [n, labels], infinities allowed, targets int8 [n, labels] in 1, 0 and -1."""
        room = self._waiting.shape[1] - self._rows
        if len(logits) > room:
            self.add(logits[:room], targets[:room])
            self._count()
            return self.add(logits[room:], targets[room:])
        step = max(TOGETHER // max(logits.shape[1], 1), 1)
        ahead = np.empty((min(step, len(logits)), logits.shape[1]), dtype=logits.dtype)
        for first in range(0, len(logits), step):
            self._wait(logits[first : first + step], targets[first : first + step], ahead)

    def _wait(self, logits: Floats, targets: Targets, ahead: Floats) -> None:
        """Let a few rows wait; their bins are found in `ahead` [n or more, labels], which stays near the processor."""
        found, kind = ahead[: len(logits)], logits.dtype.type
        np.add(logits, kind(RANGE), out=found)
        np.multiply(found, kind(self.bins / (2 * RANGE)), out=found)
        np.clip(found, 0, self.bins - 1, out=found)
        place = found.astype(np.uint16)
        hits = np.flatnonzero(targets == 1)
        bins = hits % targets.shape[1] * self.bins + place.reshape(-1)[hits]
        np.add.at(self.positive.reshape(-1), bins, np.uint32(1))
        if targets.size and targets.min() < 0:
            place[targets < 0] = self.bins  # a bin that is dropped
        self._waiting[:, self._rows : self._rows + len(place)] = place.T
        self._rows += len(place)

    def _count(self) -> None:
        for label, places in enumerate(self._waiting[:, : self._rows]):
            counts = np.bincount(places, minlength=self.bins + 1)[: self.bins]
            np.add(self.all[label], counts, out=self.all[label], casting="unsafe")
        self._rows = 0

    def values(self) -> tuple[Values, Values, Values]:
        """Return lower bounds, the values of the binned logits, and upper bounds, float64 [labels] each.

        NaN for a label without a positive.
        """
        self._count()
        found = np.full((3, len(self.all)), np.nan)
        for label in np.flatnonzero(self.positive.any(axis=1)).tolist():
            found[:, label] = _value(self.all[label, ::-1], self.positive[label, ::-1])
        return found[0], found[1], found[2]


def _value(every: npt.NDArray[np.uint32], positive: npt.NDArray[np.uint32]) -> tuple[float, float, float]:
    filled = np.flatnonzero(positive)
    hits, seen = np.cumsum(positive, dtype=np.int64)[filled], np.cumsum(every, dtype=np.int64)[filled]
    own = positive[filled].astype(np.int64)
    negative = every[filled] - own
    middle, high = (own * hits / seen).sum(), (own * hits / (seen - negative)).sum()
    each = np.arange(1, hits[-1] + 1)  # the positives in the order of their ranks
    low = (each / (each + np.repeat(seen - hits, own))).sum()
    return low / hits[-1], middle / hits[-1], high / hits[-1]
