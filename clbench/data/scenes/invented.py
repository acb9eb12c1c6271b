"""Pictures of things that no language has a word for: icons of random forms, which are no scenario's labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.backdrop import form
from clbench.data.scenes.icons import Icon
from clbench.data.scenes.layout import arrange, owners
from clbench.data.scenes.scenes import strewn
from clbench.data.scenes.stable_random import Dice

VERSION = 1
"""Raised with every change that alters a label or a pixel."""
ICONS = 64
_BODIES = (("o", "*", (50.0, 50.0, 30.0, 24.0)), ("r", "*", (22.0, 26.0, 78.0, 74.0)))


@dataclass(frozen=True, eq=False)
class Lesson:
    """Pictures uint8 [n, S, S, 3], which icons are in them bool [n, ICONS], and what most of each patch shows.

    `patches` int64 [n, S / patch, S / patch] has the number of an icon, or ICONS where most of the patch shows none.
    """

    pictures: npt.NDArray[np.uint8]
    present: npt.NDArray[np.bool_]
    patches: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def invented_icons() -> dict[str, Icon]:
    """Return ICONS drawings of three to six random forms in colours of their own."""
    dice = Dice("invented", VERSION, "icons")
    found = {}
    for number, name in enumerate(f"invented {i}" for i in range(ICONS)):
        colours = ["".join("0123456789abcdef"[dice.below(16)] for _ in range(3)) for _ in range(4)]
        strokes = [form(dice, colour=("*", *colours)[dice.below(4)], inside=i > 1) for i in range(dice.between(3, 6))]
        # what has a body is never a thin line alone
        body = _BODIES[number % 2]
        found[name] = Icon(name, 1.0, (colours[2], colours[3]), (body, *strokes))
    return found


def invented_pictures(rows: npt.NDArray[np.int64], *, size: int = 64, patch: int = 8) -> Lesson:
    """Return the pictures of `rows`, the same bytes whatever is asked with them, with one to four icons each."""
    names = tuple(invented_icons())
    pictures = np.empty((len(rows), size, size, 3), np.uint8)
    present = np.zeros((len(rows), ICONS), np.bool_)
    patches = np.empty((len(rows), size // patch, size // patch), np.int64)
    for index, row in enumerate(np.asarray(rows).tolist()):
        dice = Dice("invented", VERSION, "picture", row)
        chosen = dice.permutation(ICONS)[: dice.between(1, 4)].tolist()
        present[index, chosen] = True
        picture = strewn(dice, size=size)
        scene = arrange([names[i] for i in chosen], dice=dice, size=size, drawings=invented_icons())
        for placed in scene:
            placed.sprite.lay(picture, x=placed.x, y=placed.y, gain=placed.gain)
        pictures[index] = picture
        shown = np.array([ICONS, *(names.index(placed.label) if placed.label else ICONS for placed in scene)])
        tiles = shown[owners(scene, size=size)].reshape(size // patch, patch, size // patch, patch)
        patches[index] = _most(tiles.transpose(0, 2, 1, 3).reshape(size // patch, size // patch, -1))
    return Lesson(pictures, present, patches)


def _most(shown: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the icon of more than half of the last axis, ICONS where there is none."""
    middle = np.sort(shown, axis=-1)[..., shown.shape[-1] // 2]
    share = (shown == middle[..., None]).mean(axis=-1)
    return np.where(share > 0.5, middle, ICONS)
