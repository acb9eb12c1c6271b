"""How many processes read pictures for a run; it moves no number."""

from __future__ import annotations

import logging

import torch

from clbench.data.pictures.augment import FROM_WHOLE
from clbench.data.pictures.sources import CachedImages, ImageSource
from clbench.files.machine import cores
from clbench.files.shared_memory import most_readers
from clbench.stream.trial import TrainImages
from clbench.train.options import AUTO

log = logging.getLogger(__name__)

MOST = 16
"""More readers than this fill no GPU any faster."""


def loader_processes(
    wanted: int,
    source: ImageSource,
    *,
    device: torch.device,
    share: int = 0,
    augment: str = "none",
    batch: int = 0,
) -> int:
    """Return the number of loader processes of a run: `wanted`, or with AUTO what fits.

    None from the cache, because copying a picture between processes costs more than reading it there, unless `augment`
    starts from whole pictures, which no cache holds; none on a CPU, where training needs the cores itself; else all but
    one of the `share` of cores that this run may count on (0: all of the machine's), and no more than have room in
    shared memory for batches of `batch` pictures. It moves no number.
    """
    if wanted != AUTO:
        return wanted
    if isinstance(source, TrainImages):
        source = source.source
    from_cache = isinstance(source, CachedImages) and augment not in FROM_WHOLE
    if from_cache or device.type != "cuda":
        return 0
    fitting = min(max((share or cores()) - 1, 0), MOST)
    room = most_readers(batch * 3 * source.size**2)
    if room < fitting:
        log.warning("%d processes read pictures instead of %d: shared memory has no room for more", room, fitting)
    return min(fitting, room)
