"""The order of samples and the merging of exemplars."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from clbench.nn.memory import Exemplars
from clbench.stream.stream import Session
from clbench.train.batches import BatchOrder, SessionView, order, steps_per_epoch


class Pictures:
    """One constant picture per row."""

    size = 4

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows.astype(np.uint8))[:, None, None, None].expand(-1, 3, 4, 4).clone()


def session_of(rows: list[int], targets: list[list[int]]) -> Session:
    y = np.array(targets, dtype=np.int8)
    return Session(
        index=1,
        new=slice(1, 2),
        seen=y.shape[1],
        learned=y.shape[1],
        labels=tuple("ab"),
        rows=np.array(rows, dtype=np.int64),
        targets=y,
        test_rows=np.array([0]),
    )


def view_of(session: Session, exemplars: Exemplars | None = None, augment: str = "none") -> SessionView:
    ids = np.array([f"i{n}" for n in range(50)])
    return SessionView(session, source=Pictures(), ids=ids, augment=augment, seed=3, exemplars=exemplars)


@given(st.integers(1, 300), st.integers(1, 64))
def test_every_image_is_shown_once_an_epoch_and_no_batch_has_one_image(length: int, batch: int) -> None:
    session = session_of(list(range(length)), [[0, 1]] * length)
    ids = np.array([str(n) for n in range(length)])
    view = SessionView(session, source=Pictures(), ids=ids, augment="none", seed=0)
    batches = list(BatchOrder(view, batch_size=batch, epochs=2))
    assert len(batches) == 2 * steps_per_epoch(length, batch)
    for epoch in (0, 1):
        seen = [position for items in batches for at, position in items if at == epoch]
        assert sorted(seen) == list(range(length))
    if length > 1 and batch > 1:
        assert min(len(items) for items in batches) >= 2


def test_starting_in_the_middle_gives_the_rest_of_the_same_order() -> None:
    view = view_of(session_of(list(range(23)), [[0, 1]] * 23))
    whole = list(BatchOrder(view, batch_size=4, epochs=3))
    for epoch, step in [(0, 0), (0, 3), (1, 0), (2, 5)]:
        rest = list(BatchOrder(view, batch_size=4, epochs=3, start=(epoch, step)))
        assert rest == whole[epoch * 6 + step :]


def test_exemplars_do_not_change_the_order_of_the_sessions_own_images() -> None:
    alone = order(40, 40, seed=1, session=2, epoch=3)
    mixed = order(60, 40, seed=1, session=2, epoch=3)
    assert [p for p in mixed.tolist() if p < 40] == alone.tolist()
    assert sorted(mixed.tolist()) == list(range(60))


def test_seeds_sessions_and_epochs_have_orders_of_their_own() -> None:
    orders = {
        tuple(order(30, 30, seed=seed, session=session, epoch=epoch).tolist())
        for seed in (0, 1)
        for session in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 8


def test_an_exemplar_met_again_is_merged_into_the_sessions_row_and_not_repeated() -> None:
    session = session_of([7, 3, 9], [[-1, 1], [-1, 0], [-1, 1]])
    exemplars = Exemplars(
        rows=np.array([3, 20]),
        targets=np.array([[1], [0]], dtype=np.int8),
        logits=np.array([[2.5], [-1.5]], dtype=np.float32),
    )
    view = view_of(session, exemplars)
    assert view.rows.tolist() == [7, 3, 9, 20]
    assert view.y.tolist() == [[-1, 1], [1, 0], [-1, 1], [0, -1]]
    assert view.fresh == 3
    assert view.logits is not None
    assert torch.isnan(view.logits[0]).all() and view.logits[1, 0] == 2.5 and view.logits[3, 0] == -1.5
    assert torch.isnan(view.logits[:, 1]).all()


def test_a_batch_carries_images_labels_rows_and_positions() -> None:
    view = view_of(session_of([7, 3, 9], [[-1, 1], [-1, 0], [-1, 1]]))
    images, y, rows, positions = view.__getitems__([(0, 2), (0, 0)])
    assert images[:, 0, 0, 0].tolist() == [9, 7]
    assert y.tolist() == [[-1, 1], [-1, 1]] and rows.tolist() == [9, 7] and positions.tolist() == [2, 0]


def test_augmentation_depends_on_seed_session_epoch_and_image_id_alone() -> None:
    class Gradient(Pictures):
        def read(self, rows: np.ndarray) -> torch.Tensor:
            return torch.arange(4, dtype=torch.uint8).expand(len(rows), 3, 4, 4).clone()

    def drawn(rows: list[int], epoch: int) -> dict[int, int]:
        session = session_of(rows, [[0, 1]] * len(rows))
        ids = np.array([f"i{n}" for n in range(50)])
        view = SessionView(session, source=Gradient(), ids=ids, augment="flip", seed=3)
        images, *_ = view.__getitems__([(epoch, p) for p in range(len(rows))])
        return {row: int(image[0, 0, 0]) for row, image in zip(rows, images, strict=True)}

    many, few = drawn(list(range(40)), 0), drawn([30, 4, 11], 0)
    assert all(many[row] == value for row, value in few.items())
    assert len(set(many.values())) == 2 and drawn(list(range(40)), 1) != many
