"""The standard error of mAP from the test images: by hand, against derivatives, against the truth and the bootstrap."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from clbench.metrics.ap import average_precisions, mean_ap
from clbench.metrics.jackknife import map_error, map_influence
from clbench.metrics.resample import draw_images, resampled_precisions


def weighted_map(
    scores: npt.NDArray[np.float64], targets: npt.NDArray[np.int8], weights: npt.NDArray[np.float64]
) -> float:
    """mAP of images with weights, straight from the definition."""
    values = []
    for s, t in zip(scores.T, targets.T, strict=True):
        present = np.flatnonzero(t == 1)
        at_least = [(s >= s[p]) & (t >= 0) for p in present]
        precisions = [(weights * rows * (t == 1)).sum() / (weights * rows).sum() for rows in at_least]
        values.append((weights[present] * precisions).sum() / weights[present].sum())
    return float(np.mean(values))


def test_three_images_worked_by_hand() -> None:
    # AP = (1/1 + 2/3) / 2 = 5/6 of the positives at ranks 1 and 3; H/A = 1, 2/3, so for the three images
    # 2 dAP = 1 - 5/6 + (1 + 1/3) - (1 + 2/9), 0 - 2/9, 2/3 - 5/6 + 1/3 - 2/9
    found = map_influence([[0.9], [0.8], [0.1]], [[1], [0], [1]])
    assert found == pytest.approx([5 / 36, -4 / 36, -1 / 36])
    assert map_error([[0.9], [0.8], [0.1]], [[1], [0], [1]]) == pytest.approx(math.sqrt(42) / 36)


def test_influences_are_the_derivatives_with_ties_and_unknowns() -> None:
    generator = np.random.default_rng(0)
    scores = np.round(generator.normal(size=(30, 3)), 1)
    targets = (generator.random((30, 3)) < 0.4).astype(np.int8)
    targets[3, 1] = -1
    ones, step = np.ones(30), 1e-6
    numeric = [
        (weighted_map(scores, targets, ones + step * image) - weighted_map(scores, targets, ones - step * image))
        / (2 * step)
        for image in np.eye(30)
    ]
    assert map_influence(scores, targets) == pytest.approx(numeric, abs=1e-8)
    assert map_influence(scores, targets).sum() == pytest.approx(0, abs=1e-12)


def test_it_is_near_the_spread_over_test_sets_and_near_the_bootstrap() -> None:
    generator = np.random.default_rng(1)

    def test_set() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        targets = (generator.random((300, 6)) < 0.25).astype(np.int8)
        return targets + generator.normal(size=targets.shape), targets

    spread = float(np.std([mean_ap(average_precisions(*test_set())) for _ in range(200)], ddof=1))
    scores, targets = test_set()
    drawn = resampled_precisions(scores, targets, draw_images(300, 300, seed=0)).mean(axis=1)
    assert map_error(scores, targets) == pytest.approx(spread, rel=0.2)
    assert map_error(scores, targets) == pytest.approx(float(drawn.std(ddof=1)), rel=0.2)


def test_thirty_images_do_not_look_like_forty_thousand() -> None:
    generator = np.random.default_rng(2)
    targets = (generator.random((3000, 5)) < 0.3).astype(np.int8)
    scores = targets + generator.normal(size=targets.shape)
    few, many = map_error(scores[:30], targets[:30]), map_error(scores, targets)
    assert few / many == pytest.approx(10, rel=0.4)  # the root of a hundred times as many


def test_without_a_positive_there_is_no_error_to_tell() -> None:
    assert math.isnan(map_error([[0.1], [0.2]], [[0], [0]]))
