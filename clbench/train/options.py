"""How a run is carried out, none of which may move a number."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from clbench.data.pictures.augment import FROM_WHOLE
from clbench.data.pictures.read_ahead import cores
from clbench.data.pictures.sources import CachedImages, ImageSource
from clbench.files.shared_memory import most_readers
from clbench.stream.trial import TrainImages
from clbench.train.stored_features import Kind

log = logging.getLogger(__name__)

AUTO = -1
MOST = 16
"""More readers than this fill no GPU any faster."""


@dataclass(frozen=True)
class RunOptions:
    """How to run, none of which may move a number: where results go, on what, how often state is saved."""

    results: Path = Path("results")
    device: str = "auto"
    workers: int = AUTO
    """Processes that read pictures; AUTO decides by where they come from and what trains."""
    cores: int = 0
    """How many cores the run may count on; 0 means all of the machine's."""
    threads: int = 1
    cache: bool | None = None
    """Whether squashed pictures are kept on disk; None keeps them where that is small. `rrc` trains on whole ones."""
    features: Kind = "off"
    """Whether the features of a frozen backbone are kept on disk: its maps, or what the head pools of them."""
    save_minutes: float = 10.0
    save_steps: int = 0
    """Save every so many steps too; 0 means by time alone."""
    resume: bool = True
    keep_weights: bool = False
    """Keep the weights scored after every session, which `clbench explain` reads."""


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
