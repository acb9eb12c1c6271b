"""Replay memories at scale: seconds per image offered, by the number of labels."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scale_labels import labelled

from clbench.nn.memory import Memory
from clbench.nn.ocdm import OCDMMemory
from clbench.nn.prs import PRSMemory

SLOTS, BATCH, SECONDS = 2000, 10, 4.0
Figures = dict[str, float]


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
    found: Figures = {}
    images = min(rows, 12_000)
    y = labelled(images, labels)
    dense = y.toarray()
    for name, memory in (("reservoir", Memory(SLOTS)), ("PRS", PRSMemory(SLOTS)), ("OCDM", OCDMMemory(SLOTS))):
        rng = np.random.default_rng(0)

        def offer(at: int, memory: Memory = memory, rng: np.random.Generator = rng) -> None:
            memory.add(np.arange(at, at + BATCH), dense[at : at + BATCH], rng=rng)

        found[f"microseconds, {name}"] = 1e6 * per_image(offer, batch=BATCH, images=images, seconds=SECONDS)
    return found | {"bytes held": SLOTS * labels}


def reservoir(rows: int, labels: int, folder: Path) -> Figures:
    """A reservoir over the whole stream, in blocks of a thousand images."""
    memory, rng, block = Memory(SLOTS), np.random.default_rng(0), min(1000, rows)
    targets = labelled(block, labels).toarray()
    start = time.process_time()
    for first in range(0, rows, block):
        memory.add(np.arange(first, first + block), targets, rng=rng)
    return {"microseconds, reservoir in blocks": 1e6 * (time.process_time() - start) / rows}
