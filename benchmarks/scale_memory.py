"""Replay memories at scale: seconds per image offered, by the number of labels, and OCDM on lists of labels."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scale_labels import labelled

from clbench.nn.memory import Memory
from clbench.nn.ocdm import EMPTY, OCDMMemory
from clbench.nn.prs import TIE, PRSMemory

SLOTS, BATCH, SECONDS = 2000, 10, 4.0
Figures = dict[str, float]


class ListedOCDM:
    """OCDM with rho 0 on lists of labels instead of a matrix: the same removals, at a cost free of the labels' number.

    A list is padded with the number of labels, whose gain is 0. What a removal changes is the gain of its own labels.
    """

    def __init__(self, slots: int, labels: int, *, longest: int) -> None:
        self.slots, self.labels = slots, labels
        self.rows = np.empty(0, dtype=np.int64)
        self.lists = np.empty((0, longest), dtype=np.int64)
        self.met = np.zeros(labels + 1, dtype=bool)
        self.counts = np.zeros(labels + 1, dtype=np.int64)

    def add(self, rows: npt.NDArray[np.int64], lists: list[npt.NDArray[np.int64]], *, rng: np.random.Generator) -> None:
        padded = np.full((len(rows), self.lists.shape[1]), self.labels)
        for place, labels in enumerate(lists):
            padded[place, : len(labels)] = labels
            self.met[labels] = True
        self.rows, self.lists = np.concatenate([self.rows, rows]), np.concatenate([self.lists, padded])
        np.add.at(self.counts, padded.ravel(), 1)
        self.counts[self.labels] = 0
        excess = len(self.rows) - self.slots
        if excess > 0:
            self._remove(excess, rng=rng)

    def _remove(self, excess: int, *, rng: np.random.Generator) -> None:
        share = 1.0 / int(self.met.sum())
        sizes = (self.lists < self.labels).sum(axis=1)
        total, wanted = int(self.counts.sum()), share * int((self.counts > 0).sum())
        gains = self._gain(np.arange(self.labels + 1), share)
        costs, lost = gains[self.lists].sum(axis=1), np.zeros(len(self.rows))
        for _ in range(excess):
            cost = costs + wanted * np.log(np.maximum(total - sizes, 1.0)) + lost
            ties = np.flatnonzero(cost <= cost.min() + TIE)
            gone = int(ties[rng.integers(len(ties))])
            lost[gone] = np.inf
            labels = self.lists[gone, : sizes[gone]]
            self.counts[labels] -= 1
            total -= int(sizes[gone])
            wanted -= share * int((self.counts[labels] == 0).sum())
            gains[labels] = self._gain(labels, share)
            costs = gains[self.lists].sum(axis=1)
        stays = lost == 0
        self.rows, self.lists = self.rows[stays], self.lists[stays]

    def _gain(self, labels: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.float64]:
        counts = self.counts[labels]
        logs = np.log(np.maximum(counts, 2)) - np.log(np.maximum(counts, 2) - 1)
        return share * np.where(counts > 1, logs, np.where(counts == 1, EMPTY, 0.0))


def lists_of(positives: object) -> list[npt.NDArray[np.int64]]:
    """Return the labels of each row of a CSR matrix."""
    return [part.astype(np.int64) for part in np.split(positives.indices, positives.indptr[1:-1])]  # type: ignore[attr-defined]


def same_removals(*, labels: int = 300, slots: int = 50, offered: int = 400) -> bool:
    """Whether the lists remove what the matrix of clbench removes."""
    y = labelled(offered, labels)
    dense, lists = y.toarray(), lists_of(y)
    ours, listed = OCDMMemory(slots), ListedOCDM(slots, labels, longest=max(map(len, lists)))
    first, second = np.random.default_rng(0), np.random.default_rng(0)
    for at in range(0, offered, BATCH):
        rows = np.arange(at, at + BATCH)
        ours.add(rows, dense[rows], rng=first)
        listed.add(rows, lists[at : at + BATCH], rng=second)
    return bool(np.array_equal(ours.exemplars().rows, listed.rows))


def per_image(offer: Callable[[int], None], *, batch: int, images: int, seconds: float) -> float:
    """Return seconds per image once the memory is full, from as many as fit into the time."""
    for at in range(0, SLOTS, batch):
        offer(at)
    start, at = time.process_time(), SLOTS
    while at + batch <= images and time.process_time() - start < seconds:
        offer(at)
        at += batch
    return (time.process_time() - start) / max(at - SLOTS, 1)


def selection(rows: int, labels: int, folder: Path) -> Figures:
    """Microseconds for each image offered to a full memory of 2,000."""
    assert same_removals()
    found: Figures = {}
    images = min(rows, 12_000)
    y = labelled(images, labels)
    dense, lists = y.toarray(), lists_of(y)
    for name, memory in (("reservoir", Memory(SLOTS)), ("PRS", PRSMemory(SLOTS)), ("OCDM", OCDMMemory(SLOTS))):
        rng = np.random.default_rng(0)

        def offer(at: int, memory: Memory = memory, rng: np.random.Generator = rng) -> None:
            memory.add(np.arange(at, at + BATCH), dense[at : at + BATCH], rng=rng)

        found[f"microseconds, {name}"] = 1e6 * per_image(offer, batch=BATCH, images=images, seconds=SECONDS)
    listed, rng = ListedOCDM(SLOTS, labels, longest=max(map(len, lists))), np.random.default_rng(0)
    found["microseconds, OCDM on lists"] = 1e6 * per_image(
        lambda at: listed.add(np.arange(at, at + BATCH), lists[at : at + BATCH], rng=rng),
        batch=BATCH,
        images=images,
        seconds=SECONDS,
    )
    return found | {"bytes held": SLOTS * labels}


def reservoir(rows: int, labels: int, folder: Path) -> Figures:
    """A reservoir over the whole stream, in blocks of a thousand images."""
    memory, rng, block = Memory(SLOTS), np.random.default_rng(0), min(1000, rows)
    targets = labelled(block, labels).toarray()
    start = time.process_time()
    for first in range(0, rows, block):
        memory.add(np.arange(first, first + block), targets, rng=rng)
    return {"microseconds, reservoir in blocks": 1e6 * (time.process_time() - start) / rows}
