"""Scenarios and tables that do not fit each other: one clear message each."""

from __future__ import annotations

import numpy as np
import pytest
from stream_cases import scenario, table

from clbench.data.table import LabelTable, from_arrays
from clbench.errors import DataError, UsageError
from clbench.spec.scenario import LabelsSpec
from clbench.stream.build import build_stream

TRAIN = {"t1": "a", "t2": "b", "t3": "c d"}
TEST = {"u1": "a b", "u2": "c d"}


@pytest.fixture
def toy() -> LabelTable:
    return table("a b c d", TRAIN, TEST)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            LabelsSpec(order=["a", "b", "c", "dd"], increment=2),
            "labels.order: toy has no label 'dd'. Did you mean 'd'?",
        ),
        (LabelsSpec(order=["a", "b", "b", "c", "d"], increment=2), "labels.order: 'b' is named twice"),
        (LabelsSpec(order=["a", "b", "c"], increment=1), "labels.order leaves out 'd'"),
        (
            LabelsSpec(order=["a", "b", "c"], subset=["a", "b"], increment=1),
            "names 'c', which labels.subset leaves out",
        ),
        (LabelsSpec(order="alphabetic", increment=2), "'alphabetic' is not an order. Did you mean 'alphabetical'?"),
        (LabelsSpec(order="shuffle:x", increment=2), "'shuffle:x' is not an order"),
        (LabelsSpec(subset=["a", "z"], increment=1), "labels.subset: toy has no label 'z'"),
        (LabelsSpec(base=5, increment=1), "labels.base: 5 labels are asked for, but only 4 take part"),
        (LabelsSpec(increment=5), "labels.increment: 5 labels are asked for, but only 4 take part"),
        (LabelsSpec(base=2), "labels.increment: missing, so 2 of 4 labels would never arrive"),
        (LabelsSpec(base=1, increment=2), "2 does not divide the 3 labels after the first session"),
        (LabelsSpec(sessions=[["a"], []]), "labels.sessions: session 1 has no labels"),
        (LabelsSpec(sessions=[["a"], ["b", "a"]]), "labels.sessions: 'a' is named twice"),
        (LabelsSpec(sessions=[["a"], ["b", "e"]]), "labels.sessions: toy has no label 'e'"),
        (LabelsSpec(sessions=[["a"]], increment=1), "labels.sessions replaces"),
    ],
)
def test_labels_that_do_not_fit_are_a_usage_error(toy: LabelTable, labels: LabelsSpec, message: str) -> None:
    with pytest.raises(UsageError) as error:
        build_stream(toy, scenario(labels=labels))
    assert str(error.value).startswith("toy: labels.")
    assert message in error.value.message
    assert error.value.hint


def test_a_label_without_a_positive_is_named() -> None:
    bad = table("a b c d", {"t1": "a", "t2": "b", "t3": "c"}, TEST, pool={"t1": "d"})
    with pytest.raises(
        DataError, match="session 1: none of its 2 train images of toy is marked with the new label 'd'"
    ):
        build_stream(bad, scenario())


def test_a_session_without_train_images_is_named() -> None:
    bad = table("a b c d", {"t1": "a", "t2": "b"}, TEST)
    with pytest.raises(DataError, match=r"session 1: no train image of toy joins it \(new labels: c, d\)"):
        build_stream(bad, scenario())


def test_a_table_without_test_images_is_refused() -> None:
    with pytest.raises(DataError, match="the table has no test images"):
        from_arrays("toy", labels=["a"], y=np.ones((2, 1)), split=["train", "train"])


def test_test_images_without_a_label_that_takes_part_are_no_test_set() -> None:
    bad = table("a b c", TRAIN_ABC, {"u1": "c"})
    with pytest.raises(DataError, match="no test image of toy has a label that takes part"):
        build_stream(bad, scenario(labels=LabelsSpec(subset=["a", "b"], increment=1)))


TRAIN_ABC = {"t1": "a", "t2": "b", "t3": "c"}


def test_a_disjoint_deal_that_empties_a_label_says_what_to_change() -> None:
    tight = table("a b c d", {"t1": "a b c d"}, TEST)
    with pytest.raises(DataError, match="session") as error:
        build_stream(tight, scenario(images="disjoint"))
    assert error.value.hint
