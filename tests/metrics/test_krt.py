"""KRT's three figures from the scores of one pass."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from clbench.errors import DataError
from clbench.metrics import ap_legacy_krt, average_precisions, group_maps, krt_maps


def loaders(scores, truth, member, learned, session, *, ap):
    """What KRT's code does, loader by loader: pick the group's images, cut the targets, score."""
    groups = {
        "base": [k for k, since in enumerate(learned) if since == 0],
        "new": [k for k, since in enumerate(learned) if since == session],
        "seen": [k for k, since in enumerate(learned) if since <= session],
    }
    found = {}
    for name, labels in groups.items():
        images = [i for i in range(len(truth)) if any(member[i, k] for k in labels)]
        aps = [ap(truth[images, k], scores[images, k]) for k in labels if truth[images, k].any()]
        found[name] = float(np.mean(aps))
    return found


def test_the_figures_are_those_of_three_loaders() -> None:
    rng = np.random.default_rng(0)
    learned = np.array([0, 0, 1, 2, 2])
    truth = (rng.random((60, 5)) < 0.25).astype(np.int8)
    member = (truth == 1) | (rng.random((60, 5)) < 0.05)  # a crowd makes a member and no positive
    scores = [rng.random((60, int((learned <= s).sum()))).astype(np.float32) for s in range(3)]
    found = krt_maps(scores, truth, member=member, learned=learned)
    for session in range(3):
        wanted = loaders(scores[session], truth, member, learned, session, ap=average_precision_score)
        assert [found.base[session], found.new[session], found.seen[session]] == pytest.approx(
            [wanted["base"], wanted["new"], wanted["seen"]], abs=1e-12
        )
    assert found.base[0] == found.new[0] == found.seen[0]


def test_images_without_a_label_of_the_group_are_no_negatives() -> None:
    # the old label's only positive ranks below an image that has the new label alone
    truth = np.array([[1, 0], [0, 1]], dtype=np.int8)
    scores = [np.array([[0.5], [0.9]]), np.array([[0.5, 0.1], [0.9, 0.8]])]
    ours = krt_maps(scores, truth, member=truth == 1, learned=[0, 1])
    assert ours.base.tolist() == [1.0, 1.0] and ours.new.tolist() == [1.0, 1.0] and ours.seen.tolist() == [1.0, 0.75]
    matrix = [[1.0, np.nan], [0.5, 1.0]]
    assert group_maps(matrix, [0, 1]).base.tolist() == [1.0, 0.5], "one test set for all groups is the harder exam"


def test_the_rule_can_be_theirs() -> None:
    truth = np.array([[1, 0], [1, 0], [0, 0]], dtype=np.int8)
    scores = [np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.3]])]
    member = np.ones_like(truth, dtype=bool)
    assert krt_maps(scores, truth, member=member, learned=[0, 0]).seen[0] == 1.0
    # a label without positives counts as 0 in their mean
    assert krt_maps(scores, truth, member=member, learned=[0, 0], ap=ap_legacy_krt).seen[0] == pytest.approx(0.5)


def test_shapes_that_do_not_fit_are_named() -> None:
    truth = np.zeros((4, 2), dtype=np.int8)
    with pytest.raises(DataError, match=r"member \(3, 2\)"):
        krt_maps([], truth, member=np.zeros((3, 2)), learned=[0, 1])
    with pytest.raises(DataError, match=r"scores of session 1 have shape \(4, 1\); 4 images and 2 labels"):
        krt_maps([np.zeros((4, 1)), np.zeros((4, 1))], truth, member=truth == 0, learned=[0, 1])
    assert np.isnan(krt_maps([np.zeros((4, 1))], truth, member=truth == 1, learned=[0, 1]).base).all()
    assert average_precisions(np.zeros((0, 2)), np.zeros((0, 2), dtype=np.int8)).shape == (2,)
