"""How many processes read pictures beside a run."""

from __future__ import annotations

import torch

from clbench.data.pictures.augment import FROM_WHOLE
from clbench.data.pictures.read_ahead import cores
from clbench.data.pictures.sources import CachedImages, ImageSource
from clbench.stream.trial import TrainImages

AUTO = -1
MOST = 16
"""More readers than this fill no GPU any faster."""


def loader_processes(
    wanted: int, source: ImageSource, *, device: torch.device, share: int = 0, augment: str = "none"
) -> int:
    """Return the number of loader processes of a run: `wanted`, or with AUTO what fits.

    None from the cache, because copying a picture between processes costs more than reading it there, unless `augment`
    starts from whole pictures, which no cache holds; none on a CPU, where training needs the cores itself; else all but
    one of the `share` of cores that this run may count on (0: all of the machine's). It moves no number.
    """
    if wanted != AUTO:
        return wanted
    if isinstance(source, TrainImages):
        source = source.source
    from_cache = isinstance(source, CachedImages) and augment not in FROM_WHOLE
    if from_cache or device.type != "cuda":
        return 0
    return min(max((share or cores()) - 1, 0), MOST)
