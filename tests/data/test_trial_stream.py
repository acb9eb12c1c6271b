"""The stream of a trial holds validation images where test images were, and nothing of what it may not see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clbench.data.table import LabelTable, from_arrays
from clbench.errors import DataError, RunError, UsageError
from clbench.spec.scenario import LabelsSpec, ScenarioSpec, TrialSpec, ValidationSpec
from clbench.stream.build import build_stream
from clbench.stream.trial import TrainImages, trial_stream, without_test_labels

SPLIT = ValidationSpec(fraction=0.25)


def table(images: int = 80, *, labels: int = 6, seed: int = 0) -> LabelTable:
    rng = np.random.default_rng(seed)
    y = (rng.random((images, labels)) < 0.3).astype(np.int8)
    y[np.arange(images), np.arange(images) % labels] = 1
    split = np.where(np.arange(images) % 4 == 0, "test", "train")
    return from_arrays("made-up", labels=tuple("abcdef"[:labels]), y=y, split=split)


def scenario(**changes: Any) -> ScenarioSpec:
    return ScenarioSpec(
        **{"name": "s", "version": 1, "title": "S.", "dataset": "x", "labels": LabelsSpec(increment=2)} | changes
    )


def trial(sessions: int = 0, **split: Any) -> TrialSpec:
    return TrialSpec(validation=ValidationSpec(**split) if split else SPLIT, sessions=sessions)


@pytest.mark.parametrize("test", ["images-with-seen", "all"])
def test_validation_images_take_the_place_of_test_images(test: str) -> None:
    whole, spec = table(), scenario(test=test)
    stream = trial_stream(whole, spec, trial())
    train = set(whole.rows("train").tolist())
    shown = {row for session in stream.sessions for row in session.rows.tolist()}
    scored = set(stream.test_rows.tolist())
    assert shown | scored == train and not shown & scored
    assert scored == set(stream.val_rows.tolist())
    for session in stream.sessions:
        truth = whole.y[session.test_rows][:, stream.order]
        if test == "all":
            assert session.test_rows.tolist() == stream.test_rows.tolist()
        else:
            assert (truth[:, : session.learned] == 1).any(axis=1).all()
            assert len(session.test_rows) == int(
                (stream.truth(stream.test_rows)[:, : session.learned] == 1).any(axis=1).sum()
            )


def test_what_is_trained_on_is_what_a_scenario_with_that_split_shows() -> None:
    whole = table()
    held = build_stream(whole, scenario(validation=SPLIT))
    for ours, theirs in zip(trial_stream(whole, scenario(), trial()).sessions, held.sessions, strict=True):
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert (ours.targets == theirs.targets).all()


@pytest.mark.parametrize("visible", ["new", "seen", "all"])
def test_later_sessions_leave_no_label_behind(visible: str) -> None:
    whole, spec = table(), scenario(visible=visible)
    stream = trial_stream(whole, spec, trial(sessions=2))
    assert len(stream.sessions) == 2 and stream.labels == tuple("abcd")
    assert stream.truth(stream.test_rows).shape[1] == 4
    for session in stream.sessions:
        assert set(session.labels) <= set("abcd") and session.targets.shape[1] == session.seen == len(session.labels)
    full = trial_stream(whole, spec, trial())
    assert stream.sessions[0].rows.tolist() == full.sessions[0].rows.tolist()


def test_nothing_in_it_depends_on_the_test_images() -> None:
    whole = table()
    rng = np.random.default_rng(5)
    y, member = whole.y.copy(), whole.member.copy()
    rows = np.flatnonzero(whole.split == "test")
    y[rows] = y[rng.permutation(rows)][:, rng.permutation(6)]
    member[rows] = y[rows] == 1
    other = LabelTable(whole.name, whole.revision, whole.labels, whole.ids, whole.paths, y, member, whole.split)
    assert other.digest() != whole.digest()
    for spec in (scenario(), scenario(test="all"), scenario(labels=LabelsSpec(order="frequency", increment=2))):
        ours, theirs = (trial_stream(item, spec, trial()) for item in (whole, other))
        assert ours.digest() == theirs.digest()
        assert ours.table.digest() == theirs.table.digest()
        assert ours.labels == theirs.labels


def test_test_labels_are_blank_and_train_labels_are_not() -> None:
    whole = table()
    blank = without_test_labels(whole)
    train = whole.split == "train"
    assert (blank.y[~train] == -1).all() and not blank.member[~train].any()
    assert (blank.y[train] == whole.y[train]).all() and (blank.member[train] == whole.member[train]).all()


def test_a_test_picture_is_refused() -> None:
    class Pictures:
        size = 8

        def read(self, rows: Any) -> Any:
            return len(rows)

    guarded = TrainImages(Pictures(), table())
    assert guarded.read(np.array([1, 2, 3])) == 3 and guarded.size == 8
    with pytest.raises(RunError, match="test image in row 4"):
        guarded.read(np.array([1, 4]))


def test_a_split_that_cannot_score_a_session_is_said() -> None:
    with pytest.raises(DataError, match="session 0: no validation image") as error:
        trial_stream(table(), scenario(), trial(fraction=0.001))
    assert "raise the fraction" in error.value.hint
    with pytest.raises(UsageError, match="sessions: 9: s has 3 sessions"):
        trial_stream(table(), scenario(), trial(sessions=9))
