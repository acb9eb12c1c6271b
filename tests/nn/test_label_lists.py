"""Memories that weigh lists of labels decide what the matrices of their papers' equations decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.nn.memory import Memory
from clbench.nn.ocdm import EMPTY, OCDMMemory
from clbench.nn.prs import TIE, PRSMemory
from clbench.nn.rehearsal.label_lists import LabelLists


class MatrixPRS(PRSMemory):
    """PRS whose exit is written over a matrix [labels, slots]."""

    def _exit(self, rng: np.random.Generator) -> int:
        labelled = (self._shelf.targets == 1).T
        present = np.flatnonzero(self._held)
        if not len(present):
            return 0
        held, shares = self._held[present], self.shares()[present]
        total = held.sum()
        surplus = held - shares * total
        odds = np.cumsum(np.exp(surplus - surplus.max()))
        drawn = min(int(np.searchsorted(odds, rng.random() * odds[-1], side="right")), len(present) - 1)
        slots = np.flatnonzero(labelled[present[drawn]])
        burden = labelled[np.ix_(present[surplus <= TIE], slots)].sum(axis=0)
        slots = slots[burden == burden.min()]
        removed = labelled[np.ix_(present, slots)]
        distance = np.abs(held[:, None] - removed - shares[:, None] * (total - removed.sum(axis=0))).sum(axis=0)
        return int(slots[np.argmax(distance <= distance.min() + TIE)])


class MatrixOCDM(OCDMMemory):
    """OCDM whose removals are written over a matrix [slots, labels]."""

    def _survivors(self, excess: int, *, rng: np.random.Generator) -> Any:
        positive, target = (self._shelf.targets == 1).astype(float), self.target()
        alive = np.ones(len(positive), dtype=bool)
        for _ in range(excess):
            left = positive[alive].sum(axis=0)[None] - positive
            before = positive[alive].sum(axis=0)
            sizes = left.sum(axis=1, keepdims=True)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = np.where(left > 0, np.log(left) - np.log(np.maximum(sizes, 1)), -EMPTY)
                logs = np.where((left <= 0) & (before > 0), -EMPTY - np.log(np.maximum(sizes, 1)), logs)
            cost = np.where(alive, -(target * np.where(before > 0, logs, 0.0)).sum(axis=1), np.inf)
            ties = np.flatnonzero(cost <= cost.min() + TIE)
            alive[int(ties[rng.integers(len(ties))])] = False
        return alive


def filled(memory: Memory, *, seed: int, labels: int, batch: int, unknown: bool) -> Memory:
    """Offer 150 images of long-tailed labels, some of them twice, the labels arriving in two steps."""
    draws, rng = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    for at in range(0, 150, batch):
        width = labels if at > 60 else max(labels // 2, 1)
        rows = draws.choice(300, size=batch, replace=False)
        y = (draws.random((batch, width)) < 1 / np.arange(1, width + 1) ** 0.7).astype(np.int8)
        if unknown:
            y[draws.random(y.shape) < 0.3] = -1
        memory.add(rows, y, rng=rng)
        if at == 90:  # what a saved state brings back goes on in the same way
            state = memory.state()
            memory.load(state)
    return memory


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["prs", "ocdm"]),
    rho=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 10**6),
    labels=st.sampled_from([1, 4, 30]),
    batch=st.sampled_from([1, 7]),
    unknown=st.booleans(),
)
def test_lists_decide_what_the_matrix_decides(
    kind: str, rho: float, seed: int, labels: int, batch: int, unknown: bool
) -> None:
    one, other = (MatrixPRS, PRSMemory) if kind == "prs" else (MatrixOCDM, OCDMMemory)
    wanted = filled(one(20, rho=rho), seed=seed, labels=labels, batch=batch, unknown=unknown)
    found = filled(other(20, rho=rho), seed=seed, labels=labels, batch=batch, unknown=unknown)
    assert wanted.exemplars().rows.tolist() == found.exemplars().rows.tolist()
    assert wanted.exemplars().targets.tolist() == found.exemplars().targets.tolist()


def test_lists_follow_what_is_put_into_them() -> None:
    lists = LabelLists(np.array([[0, 1, 0], [-1, -1, -1]], dtype=np.int8))
    assert lists.places.tolist() == [[1, -1]] and lists.sizes.tolist() == [1, 0]
    lists.put(np.array([1]), LabelLists(np.array([[1, 1, 1]], dtype=np.int8)))
    assert lists.of(1).tolist() == [0, 1, 2] and lists.of(0).tolist() == [1]
    lists.append(LabelLists(np.array([[0, 0, 1]], dtype=np.int8)))
    assert lists.holding(1).tolist() == [0, 1] and lists.holding(2).tolist() == [1, 2]
    assert lists.counts(3).tolist() == [1, 2, 2] and lists.counts(5).tolist() == [1, 2, 2, 0, 0]
    assert lists.take(np.array([2, 0])).sums(np.array([1.0, 2.0, 4.0, 0.0])).tolist() == [4.0, 2.0]
    assert LabelLists().counts(2).tolist() == [0, 0]


@pytest.mark.parametrize("kind", [PRSMemory, OCDMMemory])
def test_a_memory_of_ten_thousand_labels_holds_one_image_of_each_as_long_as_it_can(kind: type[Any]) -> None:
    memory, rng = kind(50), np.random.default_rng(0)
    y = np.zeros((60, 10_000), dtype=np.int8)
    y[np.arange(60), np.where(np.arange(60) < 20, 7, 100 + np.arange(60))] = 1
    memory.add(np.arange(60), y, rng=rng)
    labels = np.flatnonzero((memory.exemplars().targets == 1).any(axis=0))
    assert len(memory) == 50 and (kind is PRSMemory or labels.tolist() == [7, *range(120, 160)])
