"""What docs/scaling.md proposes in place of dense parts gives what they give."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clbench.metrics.ap import average_precision
from clbench.stream.build import build_stream

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_sparse_sessions_are_those_of_the_stream() -> None:
    scale = module("scale_labels")
    positives = scale.labelled(2000, 70)
    table = scale.table_of(positives)
    stream = build_stream(table, scale.scenario(70))
    found = list(scale.sparse_sessions(positives, table.split == "train", increment=7))
    assert len(found) == len(stream.sessions) == 10
    for ours, session in zip(found, stream.sessions, strict=True):
        assert ours.new == session.new
        assert np.array_equal(ours.rows, session.rows)
        places = np.arange(0, len(session.rows), 3)
        wanted = np.where(session.targets[places] < 0, np.nan, session.targets[places].astype(np.float32))
        assert np.array_equal(ours.targets(places), wanted, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1e-9, 0.01, 0.3, 0.31, 0.5, 0.9, 1.0]), st.booleans()), max_size=60),
    st.integers(1, 40),
)
def test_streamed_average_precision_lies_between_its_bounds_in_whatever_parts_scores_come(
    rows: list[tuple[float, bool]], cut: int
) -> None:
    scores = np.array([[score] for score, _ in rows], dtype=np.float32).reshape(-1, 1)
    truth = np.array([[hit] for _, hit in rows], dtype=bool).reshape(-1, 1)
    right = average_precision(scores[:, 0], truth[:, 0].astype(np.int8))
    for bins in (1, 4, 64):
        state = module("scale_scores").StreamedAP(1, bins=bins)
        for part in (slice(0, cut), slice(cut, None)):
            state.add(scores[part], *np.nonzero(truth[part]))
        low, middle, high = state.value(0)
        if np.isnan(right):
            assert np.isnan(middle)
        else:
            assert low - 1e-12 <= right <= high + 1e-12
            assert low - 1e-12 <= middle <= high + 1e-12


def test_lists_of_labels_remove_what_the_matrix_removes() -> None:
    assert module("scale_memory").same_removals(labels=120, slots=40, offered=300)


@pytest.mark.slow
def test_every_part_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    words = [sys.executable, str(BENCHMARKS / "scaling.py"), "--rows", "3000", "--labels", "60", "--json", str(kept)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(kept.read_text())
    assert list(found) == list(module("scaling").PARTS)
    assert all(figures["peak bytes"] > 1e7 for figures in found.values())
    assert "labels, sparse: 3,000 images, 60 labels" in done.stdout
    dense, sparse = found["labels, dense"], found["labels, sparse"]
    assert dense["bytes of the table"] == 2 * dense["rows"] * 60
    assert sparse["bytes of the table"] < 2 * 3000 * 60
