"""Time in two clocks: that of the wall, and that of the processor."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Spent:
    """Seconds by the wall clock and seconds of CPU time, which neighbours on the machine hardly move."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)

    def __mul__(self, factor: float) -> Spent:
        return Spent(self.wall * factor, self.cpu * factor)

    @property
    def positive(self) -> Spent:
        """The same with nothing below zero."""
        return Spent(max(self.wall, 0.0), max(self.cpu, 0.0))


NOTHING = Spent()


def clocks(device: torch.device | None = None) -> Spent:
    """Return what both clocks show now, once the device has done what it was given."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    return Spent(time.perf_counter(), time.process_time())


def middle(parts: list[Spent]) -> Spent:
    """Return the median by either clock."""
    walls, cpus = sorted(p.wall for p in parts), sorted(p.cpu for p in parts)
    return Spent(walls[len(parts) // 2], cpus[len(parts) // 2])
