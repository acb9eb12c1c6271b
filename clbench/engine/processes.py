"""How many processes read pictures beside a run."""

from __future__ import annotations

import os

import torch

from clbench.data.images import CachedImages, ImageSource
from clbench.data.trial import TrainImages

AUTO = -1
MOST = 16
"""More readers than this fill no GPU any faster."""


def loader_processes(wanted: int, source: ImageSource, *, device: torch.device, share: int = 0) -> int:
    """Return the number of loader processes of a run: `wanted`, or with AUTO what fits.

    None from the cache, because copying a picture between processes costs more than reading it there; none on a CPU,
    where training needs the cores itself; else all but one of the `share` of cores that this run may count on (0: all
    of the machine's). It moves no number.
    """
    if wanted != AUTO:
        return wanted
    if isinstance(source, TrainImages):
        source = source.source
    if isinstance(source, CachedImages) or device.type != "cuda":
        return 0
    return min(max((share or cores()) - 1, 0), MOST)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
