"""The embedded stand-in for MS-COCO: small generated scenes with COCO's 80 labels, frequencies and company.

Nothing is downloaded and nothing is stored: a picture is a function of the generator's version, the seed and its row.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.backdrop import Pixels, backdrop, clutter
from clbench.data.scenes.icons import icons
from clbench.data.scenes.label_sets import draw_label_sets
from clbench.data.scenes.layout import arrange
from clbench.data.scenes.stable_random import Dice
from clbench.data.table import LabelTable
from clbench.errors import UsageError

VERSION = 1
"""Raised with every change that alters a label or a pixel."""

_LEAST = {"train": 3, "test": 1}


class Scenes:
    """A generated data set of `train` + `test` square pictures, `size` pixels wide, rows in that order.

    Label sets follow COCO's label frequencies and co-occurrence (`clbench.data.scenes.label_sets`); every label has at
    least 3 train and 1 test positives. Raises UsageError for sizes that cannot hold that.
    """

    def __init__(self, train: int = 4000, test: int = 1000, seed: int = 0, size: int = 64) -> None:
        if not 32 <= size <= 128:
            raise UsageError(f"scenes: size is {size}, expected 32 to 128 pixels.")
        if train < 100 or test < 100:
            raise UsageError(f"scenes: train is {train} and test is {test}, expected at least 100 images in each.")
        self.train = train
        self.test = test
        self.seed = seed
        self.size = size
        self.revision = f"scenes v{VERSION} train={train} test={test} seed={seed} size={size}"
        self.labels = tuple(icons())
        parts = [draw_label_sets(n, least=_LEAST[split], seed=seed, name=split) for split, n in self._splits()]
        self._sets = np.concatenate(parts)

    def table(self) -> LabelTable:
        """Return the labels: ids "train-00000" to "test-00999", values 0 and 1 only."""
        ids = [f"{split}-{row:05d}" for split, n in self._splits() for row in range(n)]
        return LabelTable(
            name="scenes",
            revision=self.revision,
            labels=self.labels,
            ids=np.array(ids),
            paths=np.array([f"{name}.png" for name in ids]),
            y=self._sets.astype(np.int8),
            member=self._sets.copy(),
            split=np.repeat([split for split, _ in self._splits()], [n for _, n in self._splits()]),
        )

    def render(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return the pictures of `rows` as uint8 [n, size, size, 3], the same bytes whatever is asked with them."""
        pictures = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for index, row in enumerate(np.asarray(rows).tolist()):
            pictures[index] = self._picture(row)
        return pictures

    def _splits(self) -> tuple[tuple[str, int], ...]:
        return (("train", self.train), ("test", self.test))

    def _picture(self, row: int) -> Pixels:
        if not 0 <= row < len(self._sets):
            raise UsageError(f"scenes: row is {row}, expected 0 to {len(self._sets) - 1}.")
        dice = Dice("scenes", VERSION, self.seed, row)
        picture = strewn(dice, size=self.size)
        names = [self.labels[column] for column in np.flatnonzero(self._sets[row]).tolist()]
        for placed in arrange(names, dice=dice, size=self.size):
            placed.sprite.lay(picture, x=placed.x, y=placed.y, gain=placed.gain)
        return picture


@lru_cache(maxsize=4)
def known_scenes(train: int = 4000, test: int = 1000, seed: int = 0, size: int = 64) -> Scenes:
    """Return `Scenes` of these arguments, the same ones each time: runs that follow each other draw their sets once."""
    return Scenes(train, test, seed, size)


def strewn(dice: Dice, *, size: int) -> Pixels:
    """Return a background with clutter on it, int32 [size, size, 3]."""
    picture = backdrop(dice, size=size)
    for _ in range(dice.between(3, 7)):
        _lay_clutter(picture, dice=dice, longest=size // 3)
    return picture


def _lay_clutter(picture: Pixels, *, dice: Dice, longest: int) -> None:
    shape = clutter(dice, size=dice.between(longest // 4, longest // 2) * 2)
    side = len(picture)
    gain = np.array([dice.between(150, 280)] * 3, np.int32)
    shape.lay(picture, x=dice.below(side) - longest // 2, y=dice.below(side) - longest // 2, gain=gain)
