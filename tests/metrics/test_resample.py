"""Average precision on resampled images equals average precision on images that are really there several times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clbench.errors import DataError
from clbench.metrics.ap import average_precisions
from clbench.metrics.resample import draw_images, resampled_precisions


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.sampled_from([1.0, 4.0]))
def test_a_weight_is_an_image_that_is_there_as_often(seed: int, images: int, grid: float) -> None:
    generator = np.random.default_rng(seed)
    scores = (np.round(generator.normal(size=(images, 3)) * grid) / grid).astype(np.float32)  # many ties
    targets = generator.integers(-1, 2, size=(images, 3))
    weights = draw_images(images, 5, seed=seed)
    found = resampled_precisions(scores, targets, weights)
    for resample in range(5):
        rows = np.repeat(np.arange(images), weights[:, resample])
        np.testing.assert_allclose(found[resample], average_precisions(scores[rows], targets[rows]), rtol=1e-12)


def test_the_hand_worked_case_of_one_label() -> None:
    # ranked: positive (drawn twice), negative (once), positive (once): AP = (2 * 2/2 + 1 * 3/4) / 3
    weights = np.array([[2], [1], [1]], dtype=np.uint8)
    assert resampled_precisions([[0.9], [0.5], [0.1]], [[1], [0], [1]], weights)[0, 0] == pytest.approx(2.75 / 3)


def test_a_resample_without_a_positive_has_no_average_precision() -> None:
    weights = np.array([[0], [2]], dtype=np.uint8)
    assert np.isnan(resampled_precisions([[0.9], [0.5]], [[1], [0]], weights)[0, 0])


def test_threads_change_no_bit() -> None:
    generator = np.random.default_rng(3)
    scores, targets = generator.normal(size=(200, 7)), generator.integers(-1, 2, size=(200, 7))
    weights = draw_images(200, 150, seed=1)
    one = resampled_precisions(scores, targets, weights)
    assert np.array_equal(one, resampled_precisions(scores, targets, weights, threads=3), equal_nan=True)


def test_draws_depend_on_the_seed_alone_and_hold_every_image_in_turn() -> None:
    draws = draw_images(50, 400, seed=7)
    assert (draws.sum(axis=0) == 50).all()
    assert np.array_equal(draws, draw_images(50, 400, seed=7))
    assert draws.mean(axis=1) == pytest.approx(np.ones(50), abs=0.25)  # five standard errors


def test_weights_of_another_test_set_are_refused() -> None:
    with pytest.raises(DataError, match="3 images by resamples were expected"):
        resampled_precisions([[0.1], [0.2], [0.3]], [[1], [0], [0]], draw_images(4, 2, seed=0))
