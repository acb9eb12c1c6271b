"""Shared memory, through which processes hand pictures to each other; containers often have 64 MB of it."""

from __future__ import annotations

import shutil
from typing import NamedTuple

FOLDER = "/dev/shm"  # noqa: S108 - where Linux has it
LIMITLESS = 1 << 30


class Room(NamedTuple):
    """Bytes of shared memory: in all, and free."""

    total: int
    free: int


def room() -> Room | None:
    """Return how much shared memory there is, None where nobody can tell."""
    try:
        found = shutil.disk_usage(FOLDER)
    except OSError:
        return None
    return Room(found.total, found.free)


def most_readers(batch_bytes: int) -> int:
    """Return for how many readers there is room: each has two batches ready while one is in use."""
    found = room()
    return LIMITLESS if found is None or not batch_bytes else max((found.free // batch_bytes - 1) // 2, 0)


def told() -> str:
    """Return in words how much there is."""
    found = room()
    return FOLDER if found is None else f"{FOLDER}: {found.free / 1e6:.1f} of {found.total / 1e6:.1f} MB are free"
