"""Precision over recall and calibration of one label: by hand, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from clbench import metrics
from clbench.errors import DataError


def test_three_images_worked_by_hand_and_their_steps_are_average_precision() -> None:
    found = metrics.precision_recall([0.9, 0.8, 0.1, 0.5], [1, 0, 1, -1])
    assert found.threshold.tolist() == [0.9, 0.8, 0.1]
    assert found.precision.tolist() == [1, 1 / 2, 2 / 3]
    assert found.recall.tolist() == [1 / 2, 1 / 2, 1]
    steps = np.diff(found.recall, prepend=0) * found.precision
    assert steps.sum() == pytest.approx(metrics.average_precision([0.9, 0.8, 0.1, 0.5], [1, 0, 1, -1]))


def test_the_curve_is_that_of_scikit_learn_ties_included() -> None:
    generator = np.random.default_rng(3)
    targets = (generator.random(80) < 0.4).astype(np.int8)
    scores = np.round(targets + generator.normal(size=80), 1)
    precision, recall, thresholds = oracle.precision_recall_curve(targets, scores)
    found = metrics.precision_recall(scores, targets)
    # theirs rises in the threshold and ends in a point that no image makes
    assert found.threshold == pytest.approx(thresholds[::-1])
    assert found.precision == pytest.approx(precision[:-1][::-1])
    assert found.recall == pytest.approx(recall[:-1][::-1])


def test_bins_of_probability_worked_by_hand() -> None:
    found = metrics.calibration([0.0, 0.5, 0.6, 1.0, 0.9], [0, 1, 0, 1, -1], bins=2)
    assert found.images.tolist() == [2, 2]  # a bin holds its upper edge
    assert found.predicted.tolist() == [0.25, 0.8]
    assert found.present.tolist() == [0.5, 0.5]
    assert metrics.calibration_error(found) == pytest.approx((0.25 * 2 + 0.3 * 2) / 4)
    assert math.isnan(metrics.calibration([0.1], [1], bins=2).present[1])


def test_bins_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(4)
    probabilities = generator.random(200)
    targets = (generator.random(200) < probabilities).astype(np.int8)
    present, predicted = calibration_curve(targets, probabilities, n_bins=10)
    found = metrics.calibration(probabilities, targets)
    assert found.present == pytest.approx(present)
    assert found.predicted == pytest.approx(predicted)


def test_logits_are_no_probabilities() -> None:
    with pytest.raises(DataError, match="0 to 1 was expected"):
        metrics.calibration([-3.0, 2.0], [0, 1])
