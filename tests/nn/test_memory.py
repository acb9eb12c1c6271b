from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.errors import ClbenchError, UsageError
from clbench.nn.balanced import BalancedMemory, HerdingMemory
from clbench.nn.memory import Exemplars, Memory
from clbench.nn.ocdm import OCDMMemory
from clbench.nn.prs import PRSMemory
from clbench.nn.rehearsal.selection import class_balanced, greedy_balanced, herding, herding_per_label

KINDS = [Memory, PRSMemory, OCDMMemory, BalancedMemory]


def y(*rows: list[int]) -> np.ndarray:
    return np.array(rows, dtype=np.int8)


class Scripted:
    """A generator whose integers are written down beforehand."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places = places

    def integers(self, low: int, high: np.ndarray) -> np.ndarray:
        assert low == 0
        assert len(high) == len(self.places)
        assert (np.array(self.places) < high).all()
        return np.array(self.places)


def test_a_reservoir_of_two_over_a_three_label_stream_has_the_distribution_of_all_subsets():
    """Four images, labels a, b, c, a+b: every pair is equally likely, so the label counts are known by hand."""
    stream = y([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0])
    pairs: Counter[tuple[int, ...]] = Counter()
    counts: Counter[tuple[int, ...]] = Counter()
    for places in product(range(3), range(4)):  # the third image draws one of 3 places, the fourth one of 4
        memory = Memory(2)
        memory.add(np.arange(4), stream, rng=Scripted(places))
        held = memory.exemplars()
        pairs[tuple(sorted(held.rows.tolist()))] += 1
        counts[tuple((held.targets == 1).sum(0).tolist())] += 1
    assert {pair: Fraction(n, 12) for pair, n in pairs.items()} == {
        pair: Fraction(1, 6) for pair in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    }
    assert {count: Fraction(n, 12) for count, n in counts.items()} == {
        (1, 1, 0): Fraction(1, 6),
        (1, 0, 1): Fraction(1, 6),
        (0, 1, 1): Fraction(1, 6),
        (2, 1, 0): Fraction(1, 6),
        (1, 2, 0): Fraction(1, 6),
        (1, 1, 1): Fraction(1, 6),
    }


def test_splitting_a_stream_into_calls_keeps_the_reservoir_uniform():
    stream = y([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0])
    held = Counter()
    for first, second in product(range(3), range(4)):
        memory = Memory(2)
        memory.add([0, 1, 2], stream[:3], rng=Scripted((first,)))
        memory.add([3], stream[3:], rng=Scripted((second,)))
        held[tuple(sorted(memory.exemplars().rows.tolist()))] += 1
    assert set(held.values()) == {2}
    assert len(held) == 6


def test_every_image_is_equally_likely_to_stay():
    kept = np.zeros(30)
    for seed in range(600):
        memory = Memory(6)
        for start in range(0, 30, 7):
            rows = np.arange(start, min(start + 7, 30))
            memory.add(rows, np.ones((len(rows), 1)), rng=np.random.default_rng([seed, start]))
        kept[memory.exemplars().rows] += 1
    # 600 draws of probability 0.2: four standard deviations
    assert np.abs(kept / 600 - 0.2).max() < 4 * np.sqrt(0.2 * 0.8 / 600)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_met_again_merges_what_is_known(kind):
    memory = kind(5)
    rng = np.random.default_rng(0)
    memory.add([7, 8], y([1, 0, -1], [-1, -1, 1]), rng=rng)
    memory.add([8, 7, 9], y([0, 1, -1, 1], [-1, 1, 0, 0], [0, 0, 0, 1]), rng=rng)
    held = memory.exemplars()
    by_row = dict(zip(held.rows.tolist(), held.targets.tolist(), strict=True))
    assert by_row == {7: [1, 1, 0, 0], 8: [0, 1, 1, 1], 9: [0, 0, 0, 1]}


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_offered_twice_at_once_is_stored_once(kind):
    memory = kind(5)
    memory.add([3, 4, 3], y([1, -1], [0, 1], [-1, 0]), rng=np.random.default_rng(0))
    held = memory.exemplars()
    assert held.rows.tolist() == [3, 4]
    assert held.targets.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("kind", KINDS)
def test_widening_makes_new_labels_unknown(kind):
    memory = kind(4)
    memory.add([1], y([1, 0]), rng=np.random.default_rng(0), logits=[[0.5, -0.5]])
    memory.widen(3)
    held = memory.exemplars()
    assert held.targets.tolist() == [[1, 0, -1]]
    assert held.logits[0, :2].tolist() == [0.5, -0.5]
    assert np.isnan(held.logits[0, 2])
    memory.add([1, 2], y([-1, -1, 1], [0, 1, 0]), rng=np.random.default_rng(0), logits=[[9, 9, 9], [1, 2, 3]])
    held = memory.exemplars()
    assert held.targets[0].tolist() == [1, 0, 1]
    assert held.logits.tolist() == [[0.5, -0.5, 9.0], [1.0, 2.0, 3.0]]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 12), st.booleans(), st.integers(0, 1000))
def test_the_budget_holds_and_nothing_unseen_is_stored(kind, capacity, per_class, seed):
    rng = np.random.default_rng(seed)
    memory = kind(capacity, per_class=per_class)
    seen: dict[int, np.ndarray] = {}
    for width in (2, 2, 5):
        for _ in range(4):
            rows = rng.integers(0, 60, 9)
            targets = rng.integers(-1, 2, (9, width)).astype(np.int8)
            memory.add(rows, targets, rng=rng)
            for row, target in zip(rows.tolist(), targets, strict=True):
                known = seen.setdefault(row, np.full(5, -1, dtype=np.int8))
                known[:width] = np.maximum(known[:width], target)
            limit = capacity * width if per_class else capacity
            held = memory.exemplars()
            assert len(memory) == len(held) == len(set(held.rows.tolist()))
            assert len(memory) <= limit == memory.limit
            for row, target in zip(held.rows.tolist(), held.targets, strict=True):
                # nothing is known of an exemplar that its image did not show
                assert ((target == -1) | (target <= seen[row][:width])).all()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KINDS), st.booleans(), st.integers(0, 1000))
def test_a_memory_goes_on_from_its_state_exactly(kind, with_logits, seed):
    def feed(memory, part: int) -> None:
        rng = np.random.default_rng([seed, part])
        width = 3 + part
        targets = rng.integers(-1, 2, (25, width)).astype(np.int8)
        logits = rng.normal(size=(25, width)) if with_logits else None
        memory.add(rng.integers(0, 80, 25), targets, rng=rng, logits=logits)

    straight, stopped, resumed = kind(10), kind(10), kind(10)
    for part in range(3):
        feed(straight, part)
    feed(stopped, 0)
    feed(stopped, 1)
    resumed.load(stopped.state())
    feed(resumed, 2)
    one, two = straight.state(), resumed.state()
    assert one.keys() == two.keys()
    for key in one:
        assert np.array_equal(one[key], two[key], equal_nan=one[key].dtype.kind == "f")
        assert one[key].dtype == two[key].dtype


def test_samples_are_different_exemplars():
    memory = Memory(10)
    memory.add(np.arange(10), np.ones((10, 2)), rng=np.random.default_rng(0))
    drawn = memory.sample(4, rng=np.random.default_rng(1))
    assert isinstance(drawn, Exemplars)
    assert len(set(drawn.rows.tolist())) == 4
    assert drawn.targets.shape == (4, 2)
    assert len(memory.sample(99, rng=np.random.default_rng(1))) == 10


def test_what_a_memory_hands_out_is_a_copy():
    memory = Memory(3)
    memory.add([1], y([1]), rng=np.random.default_rng(0))
    memory.exemplars().targets[:] = 0
    memory.state()["targets"][:] = 0
    assert memory.exemplars().targets.tolist() == [[1]]


def test_wrong_shapes_and_options_are_designed_errors():
    with pytest.raises(ClbenchError, match="do not fit"):
        Memory(3).add([1, 2], y([1]), rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="capacity is -1"):
        Memory(-1)
    with pytest.raises(UsageError, match="Did you mean 'greedy'"):
        BalancedMemory(3, select="gredy")
    with pytest.raises(UsageError, match="herding needs features"):
        HerdingMemory(3).add([1], y([1]), rng=np.random.default_rng(0))


def test_targets_of_a_batch_are_stored_with_nan_as_unknown():
    memory = Memory(4)
    memory.add(torch.tensor([3, 5]), torch.tensor([[1.0, float("nan")], [0.0, 1.0]]), rng=np.random.default_rng(0))
    held = memory.exemplars()
    assert held.rows.tolist() == [3, 5]
    assert held.targets.tolist() == [[1, -1], [0, 1]]


@pytest.mark.parametrize(
    ("rows", "targets", "said"),
    [
        ([0.0, 1.0], [[1], [0]], "rows are of type float64"),
        ([True, False], [[1], [0]], "rows are of type bool"),
        ([0, 1], [[0.7], [0]], r"targets have 0\.7; 1, 0 and -1 \(unknown\) were expected"),
        ([0, 1], [[2], [0]], "targets have 2; 1, 0 and -1"),
        ([0, 1], [[300], [0]], "targets have 300; 1, 0 and -1"),
        ([0, 1], [["a"], ["b"]], "targets have 'a'; 1, 0 and -1"),
    ],
)
def test_what_is_no_row_and_no_label_is_not_rounded_to_one(rows: list, targets: list, said: str):
    with pytest.raises(ClbenchError, match=said):
        Memory(4).add(np.array(rows), np.array(targets), rng=np.random.default_rng(0))


def test_labels_take_turns_in_class_balanced_selection():
    targets = np.zeros((30, 3), dtype=np.int8)
    targets[:20, 0] = 1
    targets[20:28, 1] = 1
    targets[28:, 2] = 1
    picks = class_balanced(targets, 12, rng=np.random.default_rng(0))
    assert len(set(picks.tolist())) == 12
    assert (targets[picks] == 1).sum(0).tolist() == [5, 5, 2]


def test_greedy_selection_counts_labels_that_come_along():
    """Labels 0 and 1 always come together, so one pick serves both; taking turns picks for each of them."""
    targets = y(*[[1, 1, 0]] * 9, *[[0, 0, 1]] * 9)
    greedy = greedy_balanced(targets, 8, rng=np.random.default_rng(0))
    assert (targets[greedy] == 1).sum(0).tolist() == [4, 4, 4]
    turns = class_balanced(targets, 9, rng=np.random.default_rng(0))
    assert (targets[turns] == 1).sum(0).tolist() == [6, 6, 3]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 40), st.sampled_from([class_balanced, greedy_balanced]))
def test_selections_are_different_images_and_as_many_as_asked_for(seed, m, select):
    rng = np.random.default_rng(seed)
    targets = rng.integers(-1, 2, (25, 4)).astype(np.int8)
    picks = select(targets, m, rng=rng)
    assert len(picks) == len(set(picks.tolist())) == min(m, 25)


def plain_herding(features, m):
    x = features / np.linalg.norm(features, axis=1, keepdims=True)
    mean = x.mean(0)
    picks: list[int] = []
    while len(picks) < m:
        best, nearest = -1, np.inf
        for i in range(len(x)):
            if i not in picks:
                distance = np.linalg.norm(mean - (x[picks].sum(0) + x[i]) / (len(picks) + 1))
                if distance < nearest:
                    best, nearest = i, distance
        picks.append(best)
    return picks


@pytest.mark.parametrize("seed", range(3))
def test_herding_equals_plain_loops(seed):
    features = np.random.default_rng(seed).normal(size=(20, 5)) + 1
    assert herding(features, 8).tolist() == plain_herding(features, 8)
    assert herding(features, 3).tolist() == herding(features, 8).tolist()[:3]
    assert herding(features * np.arange(1, 21)[:, None], 8).tolist() == herding(features, 8).tolist()
    assert len(herding(features, 99)) == 20
    assert len(herding(np.zeros((0, 5)), 3)) == 0


def test_herding_per_label_chooses_among_the_positives():
    rng = np.random.default_rng(0)
    targets = (rng.random((30, 3)) < 0.4).astype(np.int8)
    features = rng.normal(size=(30, 4))
    for label, chosen in enumerate(herding_per_label(features, targets, quota=5)):
        assert (targets[chosen, label] == 1).all()
        members = np.flatnonzero(targets[:, label] == 1)
        assert chosen.tolist() == members[plain_herding(features[members], 5)].tolist()


@pytest.mark.parametrize("per_class", [False, True])
def test_a_herding_memory_keeps_prefixes_of_its_sets_within_the_budget(per_class):
    rng = np.random.default_rng(0)
    memory = HerdingMemory(3 if per_class else 13, per_class=per_class)
    first = (rng.random((40, 2)) < 0.5).astype(np.int8)
    features = rng.normal(size=(40, 4))
    memory.herd(np.arange(40), first, features=features)
    sets = herding_per_label(features, first, quota=3 if per_class else 7)
    assert set(memory.exemplars().rows.tolist()) == set(np.concatenate(sets).tolist()) - (
        set() if per_class else set(sets[1][6:].tolist()) - set(sets[0].tolist())
    )
    second = np.full((40, 5), -1, dtype=np.int8)
    second[:, 2:] = rng.random((40, 3)) < 0.5
    memory.herd(np.arange(30, 70), second, features=features)
    assert len(memory) <= memory.limit == (15 if per_class else 13)
    assert memory.quotas() == ([3] * 5 if per_class else [3, 3, 3, 2, 2])
    held = memory.exemplars()
    assert set(sets[0][:3].tolist()) <= set(held.rows.tolist())
    # an old exemplar that returns is merged, one that does not stays unknown on the new labels
    for row, target in zip(held.rows.tolist(), held.targets, strict=True):
        if row < 30:
            assert target.tolist() == [*first[row].tolist(), -1, -1, -1]
        elif row >= 40:
            assert target.tolist() == second[row - 30].tolist()
    again = HerdingMemory(memory.capacity, per_class=per_class)
    again.load(memory.state())
    third = np.full((20, 6), -1, dtype=np.int8)
    third[:, 5] = 1
    for one in (memory, again):
        one.herd(np.arange(80, 100), third, features=features[:20])
    assert memory.exemplars().rows.tolist() == again.exemplars().rows.tolist()
