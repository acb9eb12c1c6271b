"""Which labels appear together: label sets drawn from 32 themes that were fitted to MS-COCO 2014.

A theme is a kind of scene, such as a kitchen, a ball game or a street, with a probability for every label. The numbers
are a mixture of independent labels fitted by expectation-maximisation to the label sets of the 82,081 annotated
train2014 images (Lin et al., Microsoft COCO: common objects in context, ECCV 2014; annotations CC BY 4.0), rounded to
thousandths.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from clbench.data.scenes.stable_random import Dice
from clbench.errors import UsageError

Bool = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]
_RICH = 4


@dataclass(frozen=True)
class Themes:
    """The fitted mixture: `weights` int64 [T], `permille` int64 [T, K], and how often COCO has each label."""

    labels: tuple[str, ...]
    images: int
    counts: Integers
    weights: Integers
    permille: Integers


@lru_cache(maxsize=1)
def themes() -> Themes:
    """Return the mixture that the package carries."""
    held = json.loads(resources.files("clbench.data.scenes").joinpath("themes.json").read_text(encoding="utf-8"))
    rows = held["labels"].values()
    return Themes(
        labels=tuple(held["labels"]),
        images=held["images"],
        counts=np.array([row["count"] for row in rows], np.int64),
        weights=np.array(held["weights"], np.int64),
        permille=np.array([row["permille"] for row in rows], np.int64).T,
    )


def draw_label_sets(n: int, *, least: int, seed: int, name: str) -> Bool:
    """Draw `n` label sets, none empty, as bool [n, K].

    Every label occurs as often as in COCO, to the nearest image: its expected count is spread evenly over the images
    (systematic sampling in an order of its own), and a count below `least` is raised to it. Raises UsageError when
    there are too few images to hold the counts.
    """
    mixture = themes()
    theme = np.repeat(np.arange(len(mixture.weights)), _shares(mixture.weights, n=n))
    drawn = np.zeros((n, len(mixture.labels)), np.bool_)
    for column, label in enumerate(mixture.labels):
        wanted = max(least, round(int(mixture.counts[column]) * n / mixture.images))
        if wanted > n:  # only where hardly any images are asked for
            raise UsageError(
                f"scenes: {n} {name} images cannot hold {wanted} of {label!r}.", hint="Ask for more images."
            )
        dice = Dice("themes", seed, name, label)
        drawn[:, column] = _spread(mixture.permille[theme, column], theme=theme, count=wanted, dice=dice)
    _fill_empty(drawn, theme=theme, dice=Dice("themes", seed, name, "empty"))
    shuffled: Bool = drawn[Dice("themes", seed, name, "order").permutation(n)]
    return shuffled


def _shares(weights: Integers, *, n: int) -> Integers:
    shares: Integers = np.diff(np.cumsum(weights) * n // weights.sum(), prepend=0)
    return shares


def _spread(weight: Integers, *, theme: Integers, count: int, dice: Dice) -> Bool:
    """Choose exactly `count` images with chances in proportion to `weight`, evenly over the themes.

    Walking over the images theme by theme, in random order within a theme, an image is taken each time the running
    sum of the weights passes another count-th of their total, starting from a random phase.
    """
    order = dice.permutation(len(weight))
    walk = order[np.argsort(theme[order], kind="stable")]
    total = max(1, int(weight.sum()))
    steps = (np.cumsum(weight[walk]) * count + dice.below(total)) // total
    hit = np.diff(steps, prepend=0) > 0
    chosen = np.zeros(len(weight), np.bool_)
    chosen[walk[hit]] = True
    # a weight above one step passes two at once: what is missing goes to the likeliest images left
    free = walk[~hit]
    chosen[free[np.argsort(-weight[free], kind="stable")[: count - int(hit.sum())]]] = True
    return chosen


def _fill_empty(drawn: Bool, *, theme: Integers, dice: Dice) -> None:
    """Give every empty image one label of an image with many labels and, if possible, the same theme."""
    for row in np.flatnonzero(~drawn.any(axis=1)).tolist():
        rich = drawn.sum(axis=1) >= _RICH
        givers = np.flatnonzero(rich & (theme == theme[row]))
        if not len(givers):
            givers = np.flatnonzero(drawn.sum(axis=1) > 1)
        giver = int(givers[dice.below(len(givers))])
        held = np.flatnonzero(drawn[giver])
        label = int(held[dice.below(len(held))])
        drawn[giver, label], drawn[row, label] = False, True
