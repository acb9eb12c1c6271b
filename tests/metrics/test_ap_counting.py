"""Average precision by counting gives the whole numbers that sorting gives, whatever the scores are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.metrics import ap

SCORES = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e-30, -3.5, float("inf"), float("-inf")]),
    st.integers(-3, 3).map(float),
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=80), dtype=st.sampled_from(["f4", "f8"]))
def test_counting_finds_what_sorting_finds(rows: list[tuple[float, bool]], dtype: str) -> None:
    scores = np.array([score for score, _ in rows], dtype=dtype)
    positive = np.sort(scores[[hit for _, hit in rows]])
    if positive.size:
        assert ap.counted(scores, positive).tolist() == [int((scores >= one).sum()) for one in positive]


@pytest.mark.parametrize("kind", ["normal", "rounded", "outlier", "sigmoid"])
def test_every_value_is_the_same_to_the_bit_either_way(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((5000, 9)).astype(np.float32)
    targets = (rng.random(scores.shape) < np.geomspace(0.004, 0.6, 9)).astype(np.int8)
    targets[rng.random(scores.shape) < 0.1] = -1
    changed: dict[str, Any] = {
        "normal": scores,
        "rounded": scores.round(1),
        "outlier": np.where(rng.random(scores.shape) < 0.001, np.float32(-1e30), scores),
        "sigmoid": 1 / (1 + np.exp(-5 * scores)),
    }
    found = {}
    for slowly in (True, False):
        monkeypatch.setattr(ap, "sorts_slowly", lambda slowly=slowly: slowly)
        found[slowly] = [rule(changed[kind], targets) for rule in (ap.average_precisions, ap.ap_voc_envelope)]
    assert np.array_equal(found[True], found[False], equal_nan=True) and not np.isnan(found[True]).any()


def test_what_is_measured_of_the_sort_is_measured_once() -> None:
    assert ap.sorts_slowly() is ap.sorts_slowly()
    assert ap.sorts_slowly.cache_info().misses == 1
