"""What lies behind and before the objects of a scene: blurred colours, textures, and clutter in the icons' colours."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.icons import Icon, Stroke, icons
from clbench.data.scenes.sprites import Sprite, sprite
from clbench.data.scenes.stable_random import Dice

Pixels = npt.NDArray[np.int32]

_TILE = 192
_GRAIN = (0, 6, 12, 20)
_CLUTTER = 240


def backdrop(dice: Dice, *, size: int) -> Pixels:
    """Return a background without objects as int32 [size, size, 3] in 0..255."""
    cells = dice.between(2, 5)
    tone = dice.integers(71, count=3) + 93
    coarse = tone + dice.integers(121, count=cells * cells * 3).reshape(cells, cells, 3) - 60
    picture = _enlarge(coarse, size=size)
    for tiles, strength in ((_patterns(), dice.between(0, 20)), (_noise(), _GRAIN[dice.below(len(_GRAIN))])):
        tile = tiles[dice.below(len(tiles))]
        x, y = dice.below(_TILE - size), dice.below(_TILE - size)
        picture += (tile[y : y + size, x : x + size, None] * strength) >> 7
    return np.clip(picture, 0, 255)


def clutter(dice: Dice, *, size: int) -> Sprite:
    """Return one of the meaningless shapes, `size` pixels long, that share their colours with the icons."""
    shapes = _shapes()
    shape = shapes[dice.below(len(shapes))]
    return sprite(shape, tint=shape.tints[0], size=size, turn=45 * dice.below(2), flip=dice.below(2) == 1)


def _enlarge(coarse: npt.NDArray[np.int64], *, size: int) -> Pixels:
    """Blend a grid of colours [cells, cells, 3] linearly into a picture [size, size, 3]."""
    cells = len(coarse)
    place = np.arange(size) * ((cells - 1) * 64) // (size - 1)
    # in 64ths; whole numbers below 2**53 stay exact in float64 in whatever order a product sums them
    weight = np.maximum(0, 64 - np.abs(place[:, None] - 64 * np.arange(cells))).astype(np.float64)
    rows = (weight @ coarse.reshape(cells, -1).astype(np.float64)).reshape(size, cells, 3)
    picture: Pixels = (weight @ rows).astype(np.int32) >> 12
    return picture


@lru_cache(maxsize=1)
def _noise() -> Pixels:
    rough = Dice("backdrop", "noise").integers(256, count=3 * _TILE * _TILE).reshape(3, _TILE, _TILE) - 128
    for index, width in ((1, 2), (2, 4)):
        rough[index] = np.repeat(np.repeat(rough[index, ::width, ::width], width, 0), width, 1)
    return rough.astype(np.int32)


@lru_cache(maxsize=1)
def _patterns() -> Pixels:
    """Return stripes, boards and weaves in -128 or 127 as int32 [P, _TILE, _TILE]."""
    x, y = np.arange(_TILE)[None, :], np.arange(_TILE)[:, None]
    on = []
    for period in (4, 7, 11, 16):
        half = period // 2
        stripes = [x % period < half, y % period < half, (x + y) % period < half, (x - y) % period < half]
        boards = [(x % period < half) ^ (y % period < half), (x % period < 2) | ((y + x // period * half) % period < 2)]
        on += [np.broadcast_to(pattern, (_TILE, _TILE)) for pattern in stripes + boards]
    return np.where(np.stack(on), 127, -128).astype(np.int32)


@lru_cache(maxsize=1)
def _shapes() -> tuple[Icon, ...]:
    """Return the clutter: one to three simple forms each, in two colours of one icon."""
    dice = Dice("backdrop", "clutter")
    palettes = []
    for icon in icons().values():
        colours = [colour for _, colour, _ in icon.strokes if colour != "-"]
        palettes.append((colours, icon.tints))
    shapes = []
    for index in range(_CLUTTER):
        colours, tints = palettes[dice.below(len(palettes))]
        pair = [colours[dice.below(len(colours))] for _ in range(2)]
        strokes = [form(dice, colour=pair[number % 2], inside=number > 0) for number in range(dice.between(1, 3))]
        shapes.append(Icon(f"clutter {index}", 1.0, (tints[dice.below(len(tints))],), tuple(strokes)))
    return tuple(shapes)


def form(dice: Dice, *, colour: str, inside: bool) -> Stroke:
    """Return a random stroke of an icon, as `Icon` has them; `inside` may keep it on what is there already."""
    x, y = float(dice.between(30, 70)), float(dice.between(30, 70))
    wide, high = float(dice.between(8, 30)), float(dice.between(8, 30))
    kind = "ocrgpl"[dice.below(6)]
    numbers: tuple[float, ...] = (x, y, wide, high)
    if kind == "c":
        numbers = (8.0, *numbers)
    elif kind in "rg":
        numbers = (x - wide, y - high, x + wide, y + high)
        numbers += (float(dice.between(2, 4)), float(dice.between(2, 4))) if kind == "g" else (4.0,)
    elif kind == "p":
        numbers = tuple(float(dice.between(5, 95)) for _ in range(2 * dice.between(3, 5)))
    elif kind == "l":
        numbers = (10.0, *(float(dice.between(5, 95)) for _ in range(2 * dice.between(2, 4))))
    return ("@" + kind if inside and dice.below(2) else kind), colour, numbers
