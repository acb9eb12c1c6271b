"""Ranking measures over images: worked by hand, then equal to scikit-learn on random scores with many ties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from clbench import metrics

SCORES = np.array([[0.9, 0.2, 0.1], [0.3, 0.6, 0.6]])
TARGETS = np.array([[1, 0, 1], [0, 1, 0]])


def test_two_images_worked_by_hand() -> None:
    # image 1: of the pairs (1, 2) and (3, 2) the second is wrong; image 2: the tie (2, 3) is wrong, (2, 1) is right
    assert metrics.ranking_loss(SCORES, TARGETS) == pytest.approx((1 / 2 + 1 / 2) / 2)
    # all three labels are needed; both that tie are
    assert metrics.coverage(SCORES, TARGETS) == pytest.approx((3 + 2) / 2)
    # the first label is present; two share the first place, one of them present
    assert metrics.one_error(SCORES, TARGETS) == pytest.approx((0 + 1 / 2) / 2)
    assert metrics.precision_at(SCORES, TARGETS, k=2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert metrics.precision_at(SCORES, TARGETS, k=3) == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert metrics.hamming_loss(SCORES, TARGETS, threshold=0.5) == pytest.approx(2 / 6)
    # label 1: the present image scores higher; 2: likewise; 3: lower
    assert metrics.aurocs(SCORES, TARGETS).tolist() == [1.0, 1.0, 0.0]


def test_an_unknown_label_of_an_image_takes_no_part() -> None:
    scores, targets = np.array([[0.9, 0.99, 0.1]]), np.array([[1, -1, 0]])
    assert metrics.one_error(scores, targets) == 0
    assert metrics.coverage(scores, targets) == 1
    assert metrics.ranking_loss(scores, targets) == 0
    assert metrics.hamming_loss(scores, targets, threshold=0.5) == 0


def test_what_cannot_be_said_is_nan() -> None:
    none = np.zeros((2, 2), dtype=int)
    assert math.isnan(metrics.auroc([[0.5, 0.5], [0.1, 0.2]], none))
    assert math.isnan(metrics.one_error([[0.5, 0.5], [0.1, 0.2]], none))
    assert math.isnan(metrics.precision_at(SCORES, TARGETS, k=4))


@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_of_scikit_learn_ties_included(seed: int) -> None:
    generator = np.random.default_rng(seed)
    targets = (generator.random((60, 7)) < 0.35).astype(np.int8)
    scores = np.round(targets + generator.normal(size=targets.shape), 1 if seed % 2 else 8)
    assert metrics.ranking_loss(scores, targets) == pytest.approx(oracle.label_ranking_loss(targets, scores))
    assert metrics.coverage(scores, targets) == pytest.approx(oracle.coverage_error(targets, scores))
    assert metrics.auroc(scores, targets) == pytest.approx(oracle.roc_auc_score(targets, scores, average="macro"))
    wrong = oracle.hamming_loss(targets, scores > 0.5)
    assert metrics.hamming_loss(scores, targets, threshold=0.5) == pytest.approx(wrong)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_at_k_and_one_error_are_those_of_torchmetrics_where_nothing_ties(k: int) -> None:
    torch = pytest.importorskip("torch")
    retrieval = pytest.importorskip("torchmetrics.retrieval")
    generator = np.random.default_rng(k)
    n, labels = 80, 9
    scores = generator.permutation(n * labels).reshape(n, labels).astype(np.float32)  # no two alike
    targets = generator.choice([0, 0, 1, -1], size=(n, labels)).astype(np.int8)
    targets[:3, :] = 0  # images without a label are left out on both sides
    targets[3:, :5] = np.abs(targets[3:, :5])  # five labels of every image are known
    image = torch.arange(n).repeat_interleave(labels)
    asked = {"empty_target_action": "skip", "ignore_index": -1, "top_k": k}
    told = (torch.from_numpy(scores.ravel()), torch.from_numpy(targets.ravel().astype(np.int64)))
    expected = float(retrieval.RetrievalPrecision(**asked)(*told, indexes=image))
    assert metrics.precision_at(scores, targets, k=k) == pytest.approx(expected, abs=1e-6)
    if k == 1:
        hits = float(retrieval.RetrievalHitRate(**asked)(*told, indexes=image))
        assert metrics.one_error(scores, targets) == pytest.approx(1 - hits, abs=1e-6)


def test_labels_that_tie_for_the_last_places_share_them_by_hand() -> None:
    # one place is certain and present; two places are left for three labels that tie, of which one is present
    scores, targets = [[0.9, 0.5, 0.5, 0.5, 0.1]], [[1, 1, 0, 0, 1]]
    assert metrics.precision_at(scores, targets, k=3) == pytest.approx((1 + 2 * 1 / 3) / 3)
    # all tie: any label is as likely to be the first
    assert metrics.one_error([[0.5] * 4], [[1, 0, 0, 0]]) == pytest.approx(3 / 4)
    assert metrics.precision_at([[0.5] * 4], [[1, 1, 0, -1]], k=2) == pytest.approx(2 / 3), (
        "the unknown one is no rival"
    )


def test_no_order_of_labels_or_images_moves_a_measure() -> None:
    generator = np.random.default_rng(9)
    targets = (generator.random((40, 6)) < 0.4).astype(np.int8)
    scores = np.round(generator.normal(size=targets.shape), 1)
    rows, columns = generator.permutation(40), generator.permutation(6)
    for measure in (metrics.auroc, metrics.ranking_loss, metrics.one_error, metrics.coverage):
        assert measure(scores[rows][:, columns], targets[rows][:, columns]) == pytest.approx(measure(scores, targets))
