"""Where the objects of a scene stand: at several scales, overlapping, each label plainly visible at least once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.backdrop import clutter
from clbench.data.scenes.icons import Icon, icons
from clbench.data.scenes.sprites import Sprite, sprite
from clbench.data.scenes.stable_random import Dice

Drawings = Mapping[str, Icon] | None

VISIBLE = 0.4
"""The share of its pixels that one object of every label shows at least."""

_STEPS = (15, 17, 19, 22, 25, 29, 33)  # longer sides in 1/64 of the picture, for an icon of relative size 1
_TURNS = (-10, 0, 10)
_TRIES = 8
_OVERLAP = 0.25


@dataclass(frozen=True, eq=False)
class Placed:
    """A sprite with the place of its left upper corner, the gain of its colours, and its label ("" for clutter)."""

    label: str
    sprite: Sprite
    x: int
    y: int
    gain: npt.NDArray[np.int32]


def arrange(labels: list[str], *, dice: Dice, size: int, drawings: Drawings = None) -> list[Placed]:
    """Return the objects of a scene with `labels`, in the order they are to be painted.

    Two free arrangements are tried, the second with fewer and smaller objects; should a label still be hidden in both,
    its objects go into the cells of a grid, where nothing hides anything. `drawings` are by default COCO's.
    """
    for crowd in (1, 2):
        scene = _free(labels, dice=dice, size=size, crowd=crowd, drawings=drawings)
        if all(share >= VISIBLE for share in visible_shares(scene, size=size).values()):
            return scene
    return _in_cells(labels, dice=dice, size=size, drawings=drawings)


def owners(scene: list[Placed], *, size: int) -> npt.NDArray[np.int64]:
    """Return which object a pixel shows [size, size]: its place in `scene` from 1 on, 0 for none."""
    owner = np.zeros((size, size), np.int64)
    for number, placed in enumerate(scene, start=1):
        here, there = placed.sprite.windows(size, x=placed.x, y=placed.y)
        owner[here][placed.sprite.solid[there]] = number
    return owner


def visible_shares(scene: list[Placed], *, size: int) -> dict[str, float]:
    """Return for each label the largest share of an object's own pixels that can be seen."""
    seen = np.bincount(owners(scene, size=size).ravel(), minlength=len(scene) + 1)
    shares: dict[str, float] = {}
    for number, placed in enumerate(scene, start=1):
        if placed.label:
            share = int(seen[number]) / placed.sprite.area
            shares[placed.label] = max(share, shares.get(placed.label, 0.0))
    return shares


def _free(labels: list[str], *, dice: Dice, size: int, crowd: int, drawings: Drawings) -> list[Placed]:
    chosen = []
    for label in labels:
        for _ in range(_instances(dice, labels=len(labels)) if crowd == 1 else 1):
            step = _STEPS[dice.below(len(_STEPS) - (2 * crowd if len(labels) > 3 else 0))]
            turn = _TURNS[dice.below(len(_TURNS))]
            chosen.append(_object(label, dice=dice, size=step * size // 64, turn=turn, drawings=drawings))
    # large things first, so that the small ones stand before them
    chosen.sort(key=lambda placed: -placed.sprite.area)
    scene: list[Placed] = []
    for placed in chosen:
        scene.append(_settle(placed, scene, dice=dice, size=size))
    for _ in range(dice.below(3) if crowd == 1 else 0):
        shape = clutter(dice, size=dice.between(4, 7) * 2 * size // 64)
        scene.append(Placed("", shape, dice.below(size) - 4, dice.below(size) - 4, _gain(dice)))
    return scene


def _in_cells(labels: list[str], *, dice: Dice, size: int, drawings: Drawings = None) -> list[Placed]:
    across = next(n for n in range(1, size) if n * n >= len(labels))
    cell = size // across
    scene = []
    for label, place in zip(labels, dice.permutation(across * across).tolist(), strict=False):
        side = min(cell, size // 3)
        placed = _object(label, dice=dice, size=side, turn=0, relative=False, drawings=drawings)
        scene.append(replace(placed, x=place % across * cell, y=place // across * cell))
    return scene


def _object(
    label: str, *, dice: Dice, size: int, turn: int, relative: bool = True, drawings: Drawings = None
) -> Placed:
    icon = (icons() if drawings is None else drawings)[label]
    tint = icon.tints[dice.below(len(icon.tints))]
    side = round(size * icon.size) if relative else size
    shape = sprite(icon, tint=tint, size=side, turn=turn, flip=dice.below(2) == 1)
    return Placed(label, shape, 0, 0, _gain(dice))


def _gain(dice: Dice) -> npt.NDArray[np.int32]:
    light = dice.between(190, 290)
    return np.array([light * dice.between(226, 286) >> 8 for _ in range(3)], np.int32)


def _instances(dice: Dice, *, labels: int) -> int:
    choice = (1, 1, 2, 2, 3, 3) if labels <= 3 else (1, 1, 1, 1, 2, 2) if labels <= 6 else (1,)
    return choice[dice.below(len(choice))]


def _settle(placed: Placed, scene: list[Placed], *, dice: Dice, size: int) -> Placed:
    """Return `placed` at the first of a few random places that covers no earlier object much, or the best of them."""
    height, width = placed.sprite.solid.shape
    best, least = placed, 2.0
    for _ in range(_TRIES):
        # up to a tenth may stick out of the picture
        x = dice.below(max(1, size - width * 4 // 5)) - width // 10
        y = dice.below(max(1, size - height * 4 // 5)) - height // 10
        worst = max((_covered(x, y, width, height, other) for other in scene), default=0.0)
        if worst < least:
            best, least = replace(placed, x=x, y=y), worst
        if worst <= _OVERLAP:
            break
    return best


def _covered(x: int, y: int, width: int, height: int, other: Placed) -> float:
    high, wide = other.sprite.solid.shape
    across = min(x + width, other.x + wide) - max(x, other.x)
    down = min(y + height, other.y + high) - max(y, other.y)
    return across * down / (wide * high) if across > 0 and down > 0 else 0.0
