"""Training augmentation on uint8 pictures, each drawn from (seed, session, epoch, image id) and from nothing else.

Most of them change the squashed picture, which a cache can hold; those in `FROM_WHOLE` start from the whole one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from clbench.data.pictures.sources import ImageSource, Rows, whole_pictures
from clbench.seeds import derive

Augment = Callable[[torch.Tensor, int], torch.Tensor]
"""(picture uint8 [3, S, S], seed) -> picture uint8 [3, S, S]"""

FromWhole = Callable[[torch.Tensor, int, int], torch.Tensor]
"""(picture uint8 [3, h, w] as the data set has it, S, seed) -> picture uint8 [3, S, S]"""

HANDFUL = 8 << 20
"""Bytes of whole pictures that are held at once, or one picture that is larger; eight of MS-COCO's."""

LEAST, MOST = 0.2, 1.0
"""Share of a picture's area that a crop takes."""
NARROWEST, WIDEST = 3 / 4, 4 / 3
"""Width over height of a crop, before it is resized."""
# float32 as in torchvision, whose draws these are
_LOG_RATIOS: tuple[float, float] = tuple(torch.log(torch.tensor((NARROWEST, WIDEST))).tolist())


def augmented(source: ImageSource, rows: Rows, *, augment: str, draws: Iterable[int]) -> torch.Tensor:
    """Return uint8 [n, 3, S, S]: the pictures of `rows`, the i-th changed by the i-th of `draws`.

    What starts from whole pictures lies channels last in memory, as decoders give pixels and most networks take them.
    Raises DataError for a picture that cannot be read, RunError where whole ones are needed and `source` has none.
    """
    if augment in FROM_WHOLE:
        make, size = FROM_WHOLE[augment], source.size
        out = torch.empty((len(rows), 3, size, size), dtype=torch.uint8, memory_format=torch.channels_last)
        for i, (picture, draw) in enumerate(zip(_ahead(whole_pictures(source, rows)), draws, strict=True)):
            out[i] = make(picture, size, draw)
        return out
    pictures, change = source.read(rows), AUGMENTS[augment]
    if change is not None:
        for i, draw in enumerate(draws):
            pictures[i] = change(pictures[i], draw)
    return pictures


def _ahead(pictures: Iterator[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Yield the same pictures, some of them fetched ahead: decoding several in a row is faster than one at a time."""
    held: list[torch.Tensor] = []
    for picture in pictures:
        held.append(picture)
        if sum(one.nbytes for one in held) >= HANDFUL:
            yield from held
            held.clear()
    yield from held


def flip(picture: torch.Tensor, seed: int) -> torch.Tensor:
    """Mirror the picture with probability one half. uint8 [3, S, S], as it comes and as it goes."""
    return picture.flip(2) if seed & 1 else picture


def crop(picture: torch.Tensor, seed: int) -> torch.Tensor:
    """Random resized crop (area 0.2 to 1, ratio 3/4 to 4/3) and flip, taken from the squashed picture.

    uint8 [3, S, S], as it comes and as it goes.
    """
    from clbench.imports.picture_functions import functional

    top, left, height, width = crop_box(picture.shape[-1], seed)
    out = functional.resized_crop(picture, top, left, height, width, list(picture.shape[-2:]), antialias=True)
    return flip(out, derive(seed, "flip"))


def crop_box(size: int, seed: int) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of a random crop of a square picture."""
    return box_inside(size, size, seed)


def rrc(picture: torch.Tensor, size: int, seed: int) -> torch.Tensor:
    """Random resized crop (area 0.2 to 1, ratio 3/4 to 4/3) and flip, taken from the whole picture, resized once.

    uint8 [3, h, w] becomes [3, size, size].
    """
    from clbench.imports.picture_functions import functional

    top, left, height, width = box_inside(picture.shape[1], picture.shape[2], seed)
    box = picture[:, top : top + height, left : left + width]
    # what resizes would copy the box in any case; where it finds pixels in this order its result keeps them so, and
    # nothing has to be put in order again on the way to the network
    box = box.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    return flip(functional.resize(box, [size, size], antialias=True), derive(seed, "flip"))


def box_inside(height: int, width: int, seed: int) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of a random crop of a picture of `height` x `width`.

    These are the draws of torchvision's RandomResizedCrop after `torch.manual_seed(seed)`, from a generator of their
    own: four times as fast as building the transform and setting the global generator aside for each picture. Where
    no box fits in ten attempts it is the largest in the middle whose ratio is allowed.
    """
    draws = torch.Generator().manual_seed(seed)
    for _ in range(10):
        area = height * width * torch.empty(1).uniform_(LEAST, MOST, generator=draws).item()
        ratio = torch.exp(torch.empty(1).uniform_(*_LOG_RATIOS, generator=draws)).item()
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            top = int(torch.randint(0, height - h + 1, (1,), generator=draws))
            left = int(torch.randint(0, width - w + 1, (1,), generator=draws))
            return top, left, h, w
    h = min(height, round(width / NARROWEST))
    w = min(width, round(height * WIDEST))
    return (height - h) // 2, (width - w) // 2, h, w


def krt(picture: torch.Tensor, seed: int) -> torch.Tensor:
    """Cutout of half the side in a random colour, then RandAugment (2 operations, magnitude 9).

    The KRT recipe (KRT-MLCIL, baseline data transforms). Its RandAugment is another package's; torchvision's has the
    same two parameters and nearly the same operations, which is a stated deviation. uint8 [3, S, S], as it comes and as
    it goes.
    """
    from PIL import Image
    from torchvision.transforms.v2 import RandAugment

    rng = np.random.Generator(np.random.PCG64(seed))
    size = picture.shape[-1]
    side = size // 2
    row, column = (int(v) for v in rng.integers(0, size, 2))
    top, left = max(row - side // 2, 0), max(column - side // 2, 0)
    out = picture.clone()
    colour = torch.from_numpy(rng.integers(0, 256, 3).astype(np.uint8))
    out[:, top : row + side // 2, left : column + side // 2] = colour[:, None, None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        changed = RandAugment(num_ops=2, magnitude=9)(Image.fromarray(out.permute(1, 2, 0).numpy()))
    return torch.from_numpy(np.array(changed)).permute(2, 0, 1)


AUGMENTS: dict[str, Augment | None] = {"none": None, "flip": flip, "crop": crop, "krt": krt}
"""What changes a squashed picture."""

FROM_WHOLE: dict[str, FromWhole] = {"rrc": rrc}
"""What makes a picture of the network's size from the whole one, so that no cache of squashed pictures can serve it."""
