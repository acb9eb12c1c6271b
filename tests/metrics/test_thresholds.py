"""Thresholds that are best for F1, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clbench.metrics import counts
from clbench.metrics.f1 import f1s, of1
from clbench.metrics.rules import decide
from clbench.metrics.thresholds import as_probabilities, best_threshold, best_thresholds, chosen_thresholds


def test_the_best_threshold_parts_scores_half_way_and_leaves_the_unknown_out():
    scores = np.array([[0.9, 0.2], [0.7, 0.8], [0.6, 0.8], [0.1, 0.8], [0.65, 0.1]], dtype=np.float32)
    truth = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [-1, 0]], dtype=np.int8)
    first, second = best_thresholds(scores, truth)
    assert first == pytest.approx((0.7 + 0.6) / 2)
    assert second == pytest.approx((0.8 + 0.2) / 2)  # three equal scores cannot be parted
    assert best_thresholds(scores[:, :1], np.zeros((5, 1), np.int8)) == [0.5]


def test_one_threshold_for_all_labels_is_best_for_the_decisions_together():
    scores = np.array([[0.9, 0.3], [0.8, 0.2], [0.4, 0.1]], dtype=np.float32)
    truth = np.array([[1, 1], [0, 1], [0, 0]], dtype=np.int8)
    # descending: .9+ .8- .4- .3+ .2+ .1-; F1 after each: 2/4 2/5 2/6 4/7 6/8 6/9
    assert best_threshold(scores, truth) == pytest.approx(0.15)
    assert best_thresholds(scores, truth) == pytest.approx([0.85, 0.15])
    found = chosen_thresholds(scores, truth)
    assert (found.images, found.one) == (3, best_threshold(scores, truth))
    assert found.by_rule()["tuned-one"] == [found.one] * 2


def test_no_other_threshold_between_scores_has_a_better_f1_on_the_images_that_chose():
    rng = np.random.default_rng(5)
    truth = (rng.random((60, 4)) < 0.3).astype(np.int8)
    scores = np.clip(0.3 * truth + rng.random((60, 4)) * 0.7, 0, 1)
    found = chosen_thresholds(scores, truth)
    each, one = (counts(scores, truth, threshold=found.by_rule()[rule]) for rule in ("tuned", "tuned-one"))
    for other in rng.random(200):
        elsewhere = counts(scores, truth, threshold=other)
        assert (f1s(elsewhere) <= f1s(each) + 1e-12).all()
        assert of1(elsewhere) <= of1(one) + 1e-12


def test_thresholds_decide_alike_on_logits_and_on_probabilities():
    logits = np.array([[2.0, -3.0], [0.5, -1.0], [-0.5, 40.0]], dtype=np.float32)
    truth = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.int8)
    chosen = {"tuned": [0.7, 0.2]}  # log odds 0.85 and -1.39
    found = [
        decide("tuned", scores, truth, ranking=kind, chosen=chosen)
        for kind, scores in (("logits", logits), ("probabilities", as_probabilities(logits, ranking="logits")))
    ]
    assert [(c.tp.tolist(), c.fp.tolist(), c.fn.tolist()) for c in found] == [([1, 2], [0, 0], [1, 0])] * 2
