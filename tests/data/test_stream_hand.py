"""Streams worked out by hand: who is where, what is shown, what is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from stream_cases import scenario, table
from stream_counts import counts

from clbench.spec.scenario import LabelsSpec, ValidationSpec
from clbench.stream.build import build_stream
from clbench.stream.stream import Stream

# labels in official order d c b a f e; alphabetical sessions of two are (a b), (c d), (e f)
TRAIN = {
    "t1": "a",
    "t2": "a c",
    "t3": "b c e",
    "t4": "d",
    "t5": "d f",
    "t6": "e",
    "t7": "",
    "t8": "a b c d e f",
    "t9": "",
}
TEST = {"u1": "a", "u2": "c", "u3": "e f", "u4": "", "u5": "b d"}


def toy(**fields: object) -> Stream:
    return build_stream(table("d c b a f e", TRAIN, TEST, pool={"t9": "c"}), scenario(**fields))


def names(stream: Stream, rows: object) -> list[str]:
    return stream.table.ids[rows].tolist()


def test_a_session_holds_every_image_of_a_new_label_and_of_its_pool() -> None:
    stream = toy()
    assert stream.labels == ("a", "b", "c", "d", "e", "f")
    assert [names(stream, s.rows) for s in stream.sessions] == [
        ["t1", "t2", "t3", "t8"],
        ["t2", "t3", "t4", "t5", "t8", "t9"],
        ["t3", "t5", "t6", "t8"],
    ]


def test_only_the_new_labels_are_marked_and_a_pool_image_without_a_positive_is_all_negative() -> None:
    second = toy().sessions[1]
    assert (second.new, second.seen, second.learned) == (slice(2, 4), 4, 4)
    assert second.labels == ("a", "b", "c", "d")
    u = -1
    assert second.targets.tolist() == [
        [u, u, 1, 0],  # t2, whose a is hidden
        [u, u, 1, 0],  # t3
        [u, u, 0, 1],  # t4
        [u, u, 0, 1],  # t5, whose f is hidden
        [u, u, 1, 1],  # t8
        [u, u, 0, 0],  # t9, in the pool of c only
    ]


def test_the_test_set_grows_and_ends_as_the_fixed_one_without_images_of_no_label() -> None:
    stream = toy()
    assert [names(stream, s.test_rows) for s in stream.sessions] == [
        ["u1", "u5"],
        ["u1", "u2", "u5"],
        ["u1", "u2", "u3", "u5"],
    ]
    assert names(stream, stream.test_rows) == ["u1", "u2", "u3", "u5"]


def test_the_counts_of_the_field_are_right() -> None:
    found = counts(toy())
    sessions = found["sessions"]
    assert [s["train"] for s in sessions] == [4, 6, 4]
    assert [s["new"] for s in sessions] == [4, 3, 1]
    assert [s["test"] for s in sessions] == [2, 3, 4]
    assert [s["test_new"] for s in sessions] == [2, 2, 1]
    # session 1: t2 (a c), t3 (b c e), t4 (d), t5 (d f), t8 (all six), t9 (none)
    assert [s["visible"] for s in sessions] == pytest.approx([5 / 4, 6 / 6, 5 / 4])
    assert [s["true"] for s in sessions] == pytest.approx([12 / 4, 14 / 6, 12 / 4])
    assert [s["hidden_old"] for s in sessions] == pytest.approx([0, 4 / 6, 7 / 4])
    assert [s["hidden_future"] for s in sessions] == pytest.approx([7 / 4, 4 / 6, 0])
    assert found["visits"] == 14
    assert found["histogram"] == [1, 4, 2, 2]  # t7 never; t1 t4 t6 t9 once; t2 t5 twice; t3 t8 three times


def test_visible_seen_shows_the_earlier_labels_too() -> None:
    second = toy(visible="seen").sessions[1]
    assert second.targets.tolist()[:2] == [[1, 0, 1, 0], [0, 1, 1, 0]]
    assert second.seen == second.learned == 4


def test_visible_all_has_every_column_from_the_first_session_on() -> None:
    stream = toy(visible="all")
    assert [s.seen for s in stream.sessions] == [6, 6, 6]
    assert [s.learned for s in stream.sessions] == [2, 4, 6]
    assert stream.sessions[0].labels == stream.labels
    assert stream.sessions[0].targets.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [0, 1, 1, 0, 1, 0],
        [1, 1, 1, 1, 1, 1],
    ]
    assert [len(s.test_rows) for s in stream.sessions] == [2, 3, 4]


def test_test_all_takes_every_test_image_at_every_session() -> None:
    stream = toy(test="all")
    assert [names(stream, s.test_rows) for s in stream.sessions] == [["u1", "u2", "u3", "u4", "u5"]] * 3
    assert names(stream, stream.test_rows) == ["u1", "u2", "u3", "u4", "u5"]


def test_images_all_shows_every_train_image_in_every_session() -> None:
    stream = toy(images="all")
    assert [len(s.rows) for s in stream.sessions] == [9, 9, 9]
    assert stream.sessions[2].targets[:, 4:].sum() == 5


def test_an_unknown_value_stays_unknown_and_makes_no_member() -> None:
    marked = table("a b", {"t1": "a ?b", "t2": "b", "t3": "?a"}, {"u1": "a", "u2": "?b"})
    stream = build_stream(marked, scenario())
    assert names(stream, stream.sessions[0].rows) == ["t1", "t2"]
    assert stream.sessions[0].targets.tolist() == [[1, -1], [0, 1]]
    assert names(stream, stream.test_rows) == ["u1"]
    assert stream.truth(np.array([4, 0])).tolist() == [[0, -1], [1, -1]]


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("alphabetical", "abcdef"),
        ("official", "dcbafe"),
        ("frequency", "acdebf"),  # a, c, d and e have three train positives each, b and f two
        (list("fedcba"), "fedcba"),
    ],
)
def test_labels_arrive_in_the_named_order(order: str | list[str], wanted: str) -> None:
    stream = toy(labels=LabelsSpec(order=order, increment=3))
    assert "".join(stream.labels) == wanted


def test_the_order_by_frequency_does_not_look_at_test_images() -> None:
    uneven = table("a b", {"t1": "a", "t2": "a b"}, {"u1": "b", "u2": "b", "u3": "a b"})
    assert build_stream(uneven, scenario(labels=LabelsSpec(order="frequency", increment=1))).labels == ("a", "b")


def test_a_shuffled_order_depends_on_its_seed_alone() -> None:
    orders = {seed: toy(labels=LabelsSpec(order=f"shuffle:{seed}", increment=2)).labels for seed in (0, 1)}
    assert sorted(orders[0]) == sorted(orders[1]) == list("abcdef")
    assert orders[0] != orders[1]
    # frozen: a changed hash would change every published shuffled stream
    assert orders == {0: tuple("dbaefc"), 1: tuple("abefcd")}


def test_a_subset_leaves_the_other_labels_out_everywhere() -> None:
    stream = toy(labels=LabelsSpec(subset=["a", "d"], increment=1))
    assert stream.labels == ("a", "d")
    assert [names(stream, s.rows) for s in stream.sessions] == [["t1", "t2", "t8"], ["t4", "t5", "t8"]]
    assert names(stream, stream.test_rows) == ["u1", "u5"]


def test_sessions_can_be_written_out_with_sizes_of_their_own() -> None:
    stream = toy(labels=LabelsSpec(sessions=[["f"], ["b", "a", "c"]]))
    assert stream.labels == ("f", "b", "a", "c")
    assert [s.new for s in stream.sessions] == [slice(0, 1), slice(1, 4)]


def test_a_base_session_is_followed_by_increments() -> None:
    assert [s.new for s in toy(labels=LabelsSpec(base=4, increment=1)).sessions] == [
        slice(0, 4),
        slice(4, 5),
        slice(5, 6),
    ]
    assert [s.new for s in toy(labels=LabelsSpec()).sessions] == [slice(0, 6)]


def test_a_disjoint_deal_gives_each_image_one_of_its_sessions() -> None:
    stream = toy(images="disjoint", images_seed=13)
    # t1, t4, t6 and t9 have one choice; that of the others is a function of seed and id, and is frozen
    assert [names(stream, s.rows) for s in stream.sessions] == [["t1", "t8"], ["t2", "t4", "t9"], ["t3", "t5", "t6"]]
    assert [s.targets.tolist() for s in stream.sessions][1] == [[-1, -1, 1, 0], [-1, -1, 0, 1], [-1, -1, 0, 0]]


def test_validation_images_are_in_no_session() -> None:
    stream = toy(images="all", labels=LabelsSpec(), validation=ValidationSpec(fraction=0.3, seed=1))
    held = set(names(stream, stream.val_rows))
    assert held
    assert not held & set(names(stream, stream.sessions[0].rows))
    assert len(held) + len(stream.sessions[0].rows) == 9
