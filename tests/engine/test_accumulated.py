"""Cumulative training sees every earlier image with the labels that were visible then, and nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stream_cases import scenario, table, tables

from clbench.data.table import LabelTable
from clbench.errors import DataError
from clbench.spec.scenario import LabelsSpec
from clbench.stream.build import build_stream
from clbench.stream.merged_sessions import accumulated
from clbench.stream.stream import Stream


def plainly(stream: Stream) -> list[dict[str, list[int]]]:
    """Per session {image id: targets}, image by image."""
    known: dict[str, list[int]] = {}
    result = []
    for session in stream.sessions:
        known = {name: [*values, *[-1] * (session.seen - len(values))] for name, values in known.items()}
        for row, target in zip(session.rows, session.targets.tolist(), strict=True):
            name = str(stream.table.ids[row])
            old = known.get(name, [-1] * session.seen)
            known[name] = [max(a, b) for a, b in zip(old, target, strict=True)]
        result.append(dict(known))
    return result


@given(tables(), st.sampled_from(["new", "seen", "all"]), st.sampled_from(["any-new-label", "disjoint", "all"]))
def test_accumulating_equals_a_loop_over_images(data: LabelTable, visible: str, images: str) -> None:
    try:
        stream = build_stream(data, scenario(labels=LabelsSpec(increment=2), visible=visible, images=images))
    except DataError:
        return  # a deal that leaves a label without images is refused before anything accumulates
    for session, expected in zip(accumulated(stream).sessions, plainly(stream), strict=True):
        names = [str(name) for name in stream.table.ids[session.rows]]
        assert names == sorted(expected)
        assert dict(zip(names, session.targets.tolist(), strict=True)) == expected
        assert session.targets.dtype == np.int8 and session.rows.dtype == np.int64


def test_a_label_marked_in_one_session_stays_known_and_later_ones_stay_hidden() -> None:
    data = table("a b", {"y": "a", "x": "a b", "z": "b"}, {"t": "a b"})
    first, second = accumulated(build_stream(data, scenario(labels=LabelsSpec(increment=1)))).sessions
    assert data.ids[first.rows].tolist() == ["x", "y"] and first.targets.tolist() == [[1], [1]]
    # y came for `a` alone, so whether it has `b` was never shown; z came for `b` alone
    assert data.ids[second.rows].tolist() == ["x", "y", "z"]
    assert second.targets.tolist() == [[1, 1], [1, -1], [-1, 1]]
