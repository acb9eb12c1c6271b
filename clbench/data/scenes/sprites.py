"""Icons scaled, turned and cut out, ready to be laid on a picture, in whole-number arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.icons import Icon, Image, paint

_TAPS = 4  # samples per pixel and axis


@dataclass(frozen=True, eq=False)
class Sprite:
    """A cut-out picture: `rgb` uint8 [h, w, 3], `alpha` int16 [h, w, 1] in 0..256, `solid` bool [h, w], its `area`."""

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.int16]
    solid: npt.NDArray[np.bool_]
    area: int

    def lay(self, picture: npt.NDArray[np.int32], *, x: int, y: int, gain: npt.NDArray[np.int32]) -> None:
        """Blend onto `picture` int32 [H, W, 3] with the left upper corner at (x, y), parts outside cut off.

        `gain` int32 [3] multiplies the colours, 256 meaning as they are.
        """
        here, there = self.windows(picture.shape[0], x=x, y=y)
        below = picture[here]
        above = np.minimum((self.rgb[there] * gain) >> 8, 255)
        below += ((above - below) * self.alpha[there]) >> 8

    def windows(self, side: int, *, x: int, y: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part of a square picture of `side` pixels covered from (x, y), and that part of the sprite."""
        height, width = self.solid.shape
        x0, y0 = max(0, x), max(0, y)
        x1, y1 = max(x0, min(side, x + width)), max(y0, min(side, y + height))
        return (slice(y0, y1), slice(x0, x1)), (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))


@cache
def sprite(icon: Icon, *, tint: str, size: int, turn: int, flip: bool) -> Sprite:
    """Return `icon` with its longer side `size` pixels long before it is turned by `turn` degrees."""
    if flip:
        upright = sprite(icon, tint=tint, size=size, turn=turn, flip=False)
        return Sprite(upright.rgb[:, ::-1], upright.alpha[:, ::-1], upright.solid[:, ::-1], upright.area)
    return _scaled(_cut(icon, tint=tint), size=size, turn=turn)


@cache
def _cut(icon: Icon, *, tint: str) -> Image:
    picture = paint(icon, tint=tint)
    opaque = picture[..., 3] > 0
    rows, columns = np.flatnonzero(opaque.any(axis=1)), np.flatnonzero(opaque.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(picture: Image, *, size: int, turn: int) -> Sprite:
    height, width = picture.shape[:2]
    step = max(height, width) / size
    # rounding hides the last bit of the mathematics library, which differs between systems
    cos, sin = round(math.cos(math.radians(turn)), 9), round(math.sin(math.radians(turn)), 9)
    wide = math.ceil((width * cos + height * abs(sin)) / step)
    high = math.ceil((height * cos + width * abs(sin)) / step)
    x = ((np.arange(wide * _TAPS) + 0.5) / _TAPS - wide / 2) * step
    y = ((np.arange(high * _TAPS) + 0.5) / _TAPS - high / 2) * step
    column = np.floor(x[None, :] * cos + y[:, None] * sin + width / 2).astype(np.int64)
    row = np.floor(y[:, None] * cos - x[None, :] * sin + height / 2).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    taps = picture[np.where(inside, row, 0), np.where(inside, column, 0)].astype(np.int32)
    taps[~inside] = 0
    sums = taps.reshape(high, _TAPS, wide, _TAPS, 4).sum(axis=(1, 3), dtype=np.int32)
    # transparent pixels are black, so the sum of colours over the number of opaque samples is the mean colour
    opaque = sums[..., 3:] // 255
    rgb = (sums[..., :3] // np.maximum(opaque, 1)).astype(np.uint8)
    alpha = (opaque * 256 // (_TAPS * _TAPS)).astype(np.int16)
    solid = alpha[..., 0] >= 128
    return Sprite(rgb, alpha, solid, int(solid.sum()))
