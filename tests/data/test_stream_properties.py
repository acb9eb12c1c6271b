"""What holds for every stream, whatever the table."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from stream_cases import scenario, splits, tables

from clbench.data.table import LabelTable
from clbench.errors import DataError
from clbench.spec.scenario import LabelsSpec, ValidationSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Session, Stream

visible = st.sampled_from(["new", "seen", "all"])


def joins(stream: Stream) -> np.ndarray[Any, Any]:
    marks = np.zeros((len(stream.sessions), len(stream.table)), dtype=bool)
    for mark, session in zip(marks, stream.sessions, strict=True):
        mark[session.rows] = True
    return marks


@given(tables(), splits, visible)
def test_sessions_partition_the_labels(table: LabelTable, labels: LabelsSpec, shown: Any) -> None:
    stream = build_stream(table, scenario(labels=labels, visible=shown))
    columns = [column for session in stream.sessions for column in range(6)[session.new]]
    assert columns == list(range(6))
    assert sorted(stream.labels) == sorted(table.labels)
    assert [table.labels[column] for column in stream.order.tolist()] == list(stream.labels)
    for session in stream.sessions:
        assert session.targets.shape == (len(session.rows), session.seen)
        assert session.labels == stream.labels[: session.seen]
        assert session.learned == session.new.stop
        assert session.seen == (6 if shown == "all" else session.learned)


@given(tables(), splits)
def test_any_new_label_holds_by_definition(table: LabelTable, labels: LabelsSpec) -> None:
    stream = build_stream(table, scenario(labels=labels))
    train = table.split == "train"
    for session, mark in zip(stream.sessions, joins(stream), strict=True):
        for row in range(len(table)):
            has = any(table.member[row, column] for column in stream.order[session.new].tolist())
            assert mark[row] == (has and train[row])


@given(tables(), splits, st.integers(0, 5))
def test_disjoint_sessions_share_no_image_and_leave_none_out(table: LabelTable, labels: LabelsSpec, seed: int) -> None:
    try:
        stream = build_stream(table, scenario(labels=labels, images="disjoint", images_seed=seed))
    except DataError as error:
        assert "images_seed" in str(error) or "joins it" in str(error)
        return
    marks = joins(stream)
    takes_part = table.member.any(axis=1) & (table.split == "train")
    assert (marks.sum(axis=0) == takes_part).all()
    for session, mark in zip(stream.sessions, marks, strict=True):
        assert table.member[mark][:, stream.order[session.new]].any(axis=1).all()


@given(tables(), splits)
def test_the_test_set_grows_by_the_images_of_learned_labels(table: LabelTable, labels: LabelsSpec) -> None:
    stream = build_stream(table, scenario(labels=labels))
    for session in stream.sessions:
        has = table.member[:, stream.order[: session.learned]].any(axis=1) & (table.split == "test")
        assert set(session.test_rows.tolist()) == set(np.flatnonzero(has).tolist())
    assert set(stream.test_rows.tolist()) == set(session.test_rows.tolist())


@given(tables(), splits, visible, st.sampled_from(["any-new-label", "all"]))
def test_targets_are_the_truth_where_visible_and_unknown_elsewhere(
    table: LabelTable, labels: LabelsSpec, shown: Any, images: Any
) -> None:
    stream = build_stream(table, scenario(labels=labels, visible=shown, images=images))
    for session in stream.sessions:
        truth = stream.truth(session.rows)[:, : session.seen]
        first = session.new.start if shown == "new" else 0
        assert (session.targets[:, first:] == truth[:, first:]).all()
        assert (session.targets[:, :first] == -1).all()


@given(tables(), splits)
def test_every_row_list_is_sorted_by_image_id(table: LabelTable, labels: LabelsSpec) -> None:
    stream = build_stream(table, scenario(labels=labels, validation=ValidationSpec(fraction=0.2)))
    for rows in [stream.test_rows, stream.val_rows, *(r for s in stream.sessions for r in (s.rows, s.test_rows))]:
        ids = table.ids[rows].tolist()
        assert ids == sorted(ids)


def arrays(value: Any) -> list[np.ndarray[Any, Any]]:
    """Every array that can be reached from `value`, the memory behind views included."""
    if isinstance(value, np.ndarray):
        return [value, *(arrays(value.base) if value.base is not None else [])]
    if dataclasses.is_dataclass(value):
        return [array for field in dataclasses.fields(value) for array in arrays(getattr(value, field.name))]
    if isinstance(value, (list, tuple, set)):
        return [array for item in value for array in arrays(item)]
    if hasattr(value, "__dict__"):
        return arrays(list(vars(value).values()))
    return []


@given(tables(), splits, st.integers(0, 2**32 - 1))
def test_no_hidden_label_is_reachable_from_a_session(table: LabelTable, labels: LabelsSpec, seed: int) -> None:
    """A second table with every hidden label of one session changed gives that session the same bytes."""
    stream = build_stream(table, scenario(labels=labels))
    for session in stream.sessions:
        hidden = np.ones(table.y.shape, dtype=bool)
        hidden[:, stream.order[session.new]] = False
        hidden &= (table.split == "train")[:, None]
        y = table.y.copy()
        y[hidden] = np.random.default_rng(seed).integers(-1, 2, int(hidden.sum()))
        y[np.flatnonzero(table.split == "train")[0]] = 1  # every label keeps a positive
        y[~hidden] = table.y[~hidden]
        other = dataclasses.replace(table, y=y, member=np.where(hidden, y == 1, table.member))
        again = build_stream(other, scenario(labels=labels)).sessions[session.index]
        mine, theirs = arrays(session), arrays(again)
        assert len(mine) >= 3
        assert [a.tobytes() for a in mine] == [a.tobytes() for a in theirs]
        assert session.labels == again.labels
        assert {f.name for f in dataclasses.fields(Session)} == set(vars(session))


@given(tables(), splits)
def test_sessions_cannot_be_changed_by_accident(table: LabelTable, labels: LabelsSpec) -> None:
    stream = build_stream(table, scenario(labels=labels))
    assert not any(array.flags.writeable for session in stream.sessions for array in arrays(session))
