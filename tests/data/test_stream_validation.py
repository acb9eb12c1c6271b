"""The locked validation split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_cases import scenario, shuffled, table, tables

from clbench.errors import DataError
from clbench.spec.scenario import LabelsSpec, ValidationSpec
from clbench.stream.build import build_stream
from clbench.stream.who_joins import held_out


def drawn(n: int, k: int, *, seed: int) -> np.ndarray:
    """Label sets with frequencies from one in two down to a handful, and some images without any."""
    rng = np.random.default_rng(seed)
    rates = np.geomspace(0.5, 6 / n, k)
    y = rng.random((n, k)) < rates
    y[0] = True
    return y


@given(st.integers(0, 50), st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_every_label_keeps_its_share(seed: int, fraction: float) -> None:
    positive = drawn(2000, 12, seed=seed)
    held = held_out(positive, fraction=fraction, priority=np.random.default_rng(seed).permutation(2000))
    wanted = fraction * positive.sum(axis=0)
    assert np.abs(positive[held].sum(axis=0) - wanted).max() <= 1.0
    assert abs(held.sum() - fraction * 2000) <= 60


@given(st.integers(0, 200), st.floats(0.0, 0.99), st.integers(1, 30))
def test_no_label_is_held_out_altogether(seed: int, fraction: float, n: int) -> None:
    positive = drawn(n, 5, seed=seed)
    held = held_out(positive, fraction=fraction, priority=np.random.default_rng(seed).permutation(n))
    assert positive[~held].any(axis=0).tolist() == positive.any(axis=0).tolist()


def test_images_with_the_smallest_priority_are_held_out() -> None:
    positive = np.array([[1], [1], [1], [1], [0], [0]], dtype=bool)
    held = held_out(positive, fraction=0.5, priority=np.array([3, 1, 2, 0, 9, 8]))
    assert held.tolist() == [False, True, False, True, False, True]


def test_the_rarest_label_is_dealt_first() -> None:
    # the two images of the rare label are the only ones with both; one of them is held out, and the common label
    # then needs one more of its two others
    positive = np.array([[1, 1], [1, 1], [1, 0], [1, 0]], dtype=bool)
    held = held_out(positive, fraction=0.5, priority=np.arange(4))
    assert held.tolist() == [True, False, True, False]


SPEC = ValidationSpec(fraction=0.25, seed=3)


@given(tables(), st.integers(0, 1000))
def test_the_split_depends_on_ids_and_not_on_row_order(given_table: object, seed: int) -> None:
    spec = scenario(validation=SPEC)
    order = np.random.default_rng(seed).permutation(len(given_table))
    try:
        ids = [t.ids[build_stream(t, spec).val_rows].tolist() for t in (given_table, shuffled(given_table, order))]
    except DataError:
        return
    assert ids[0] == ids[1]


@given(tables(), st.sampled_from(["any-new-label", "disjoint", "all"]))
def test_validation_images_are_never_in_a_session(given_table: object, images: str) -> None:
    try:
        stream = build_stream(given_table, scenario(validation=SPEC, images=images))
    except DataError:
        return
    held = set(stream.val_rows.tolist())
    assert all(given_table.split[row] == "train" for row in held)
    for session in stream.sessions:
        assert not held & set(session.rows.tolist())
        assert not held & set(session.test_rows.tolist())


def test_another_seed_holds_out_other_images() -> None:
    big = table("a b", {f"t{i:03d}": "a" if i % 2 else "b" for i in range(200)}, {"u": "a b"})
    first, second = (
        build_stream(big, scenario(labels=LabelsSpec(increment=1), validation=ValidationSpec(fraction=0.1, seed=seed)))
        for seed in (0, 1)
    )
    assert len(first.val_rows) == len(second.val_rows) == 20
    assert first.val_rows.tolist() != second.val_rows.tolist()
    assert first.digest().images != second.digest().images


@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_eighty_crowded_labels_keep_their_shares_within_a_few_percent(fraction: float) -> None:
    # ten labels per image: the commonest labels' images are all dealt before their turn comes
    positive = drawn(10_000, 80, seed=0)
    held = held_out(positive, fraction=fraction, priority=np.random.default_rng(0).permutation(10_000))
    wanted = fraction * positive.sum(axis=0)
    assert (np.abs(positive[held].sum(axis=0) - wanted) <= 1 + 0.04 * wanted).all()
