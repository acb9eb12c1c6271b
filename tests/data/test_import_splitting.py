"""Iterative stratification: what it promises, and small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.data.importers.splitting import stratified_test


def test_every_label_gets_its_share() -> None:
    dice = np.random.default_rng(3)
    y = (dice.random((1000, 12)) < np.linspace(0.02, 0.5, 12)).astype(np.int8)
    test = stratified_test(y, groups=list(map(str, range(1000))), share=0.2, seed=0)
    assert abs(int(test.sum()) - 200) <= 10
    shares = y[test].sum(axis=0) / y.sum(axis=0)
    assert np.abs(shares - 0.2).max() < 0.02
    plain = dice.permutation(1000) < 200
    assert np.abs(y[plain].sum(axis=0) / y.sum(axis=0) - 0.2).max() > 0.02  # what chance alone does


def test_ten_photos_by_hand() -> None:
    # label 1 is rarer: of its 2 positives one goes to each side at one half; of label 0's other 4, 2 and 2
    y = np.array([[0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]], dtype=np.int8)
    test = stratified_test(y, groups=list("abcdefghij"), share=0.5, seed=0)
    assert [int(test[rows].sum()) for rows in (slice(0, 2), slice(2, 6), slice(6, 10))] == [1, 2, 2]


def test_unknown_is_no_positive() -> None:
    known = np.array([[1], [1], [0], [0], [0], [0]], dtype=np.int8)
    unknown = np.array([[1], [1], [-1], [-1], [-1], [0]], dtype=np.int8)
    groups = list("abcdef")
    for seed in range(5):
        same = stratified_test(unknown, groups=groups, share=0.5, seed=seed)
        assert same.tolist() == stratified_test(known, groups=groups, share=0.5, seed=seed).tolist()
        assert same[:2].sum() == 1


def test_a_seed_is_a_split() -> None:
    y = np.eye(4, dtype=np.int8).repeat(5, axis=0)
    groups = list(map(str, range(20)))
    one = stratified_test(y, groups=groups, share=0.4, seed=1).tolist()
    assert one == stratified_test(y, groups=groups, share=0.4, seed=1).tolist()
    assert len({tuple(stratified_test(y, groups=groups, share=0.4, seed=seed).tolist()) for seed in range(5)}) > 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(-1, 1), min_size=3, max_size=3)), min_size=4))
def test_groups_are_never_torn(rows: list[tuple[int, list[int]]]) -> None:
    y, groups = np.array([marks for _, marks in rows], dtype=np.int8), [str(group) for group, _ in rows]
    test = stratified_test(y, groups=groups, share=0.3, seed=0)
    sides = {(group, side) for group, side in zip(groups, test.tolist(), strict=True)}
    assert len(sides) == len(set(groups))


def test_large_groups_still_leave_a_fifth_for_test() -> None:
    groups = [str(row // 10) for row in range(200)]
    y = np.zeros((200, 2), dtype=np.int8)
    y[:100, 0] = y[50:150, 1] = 1
    test = stratified_test(y, groups=groups, share=0.2, seed=0)
    assert test.sum() == 40
    assert y[test].sum(axis=0).tolist() == [pytest.approx(20, abs=10)] * 2
