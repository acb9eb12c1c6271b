"""What a strategy can reach, and what it may store."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clbench.errors import RunError
from clbench.method.session import LiveSession
from clbench.method.stored import OverBudgetError, Replayable, count_stored
from clbench.method.strategy import Strategy
from clbench.nn.memory import Exemplars, Memory
from clbench.stream.stream import Session


class Source:
    size = 2

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows.astype(np.uint8))[:, None, None, None].expand(-1, 3, 2, 2).clone()


def live(stored: list[int], *, structure_only: bool = False) -> LiveSession:
    session = Session(
        index=1,
        new=slice(1, 2),
        seen=2,
        learned=2,
        labels=("a", "b"),
        rows=np.array([4, 5, 6]),
        targets=np.array([[-1, 1], [-1, 0], [-1, 1]], dtype=np.int8),
        test_rows=np.array([90]),
    )
    return LiveSession(
        session,
        source=Source(),
        device=torch.device("cpu"),
        batch_size=2,
        stored=lambda: np.array(stored, dtype=np.int64),
        structure_only=structure_only,
    )


def test_own_and_stored_rows_can_be_read_and_no_others() -> None:
    session = live([2])
    assert session.images(np.array([5, 2]))[:, 0, 0, 0].tolist() == [5, 2]
    for row in (90, 3):
        with pytest.raises(RunError, match=f"row {row} is neither"):
            session.images(np.array([4, row]))


def test_a_live_session_holds_no_way_to_test_rows() -> None:
    session = live([])
    assert not any("test" in name or "truth" in name for name in vars(session))


def test_changing_structure_may_not_look_at_images() -> None:
    with pytest.raises(RunError, match="only changes structure"):
        next(live([], structure_only=True).batches())


def test_batches_carry_nan_for_unknown() -> None:
    first, second = live([]).batches()
    assert torch.isnan(first.targets[:, 0]).all() and first.targets[:, 1].tolist() == [1, 0]
    assert len(second.rows) == 1 and first.known.tolist() == [[False, True], [False, True]]


class Keeps(Strategy):
    """Keeps a memory."""


def test_stored_images_and_bytes_are_counted_once_per_image() -> None:
    strategy = Keeps()
    strategy.first, strategy.second = Memory(5), Memory(5)
    rng = np.random.default_rng(0)
    y = np.array([[1, 0]], dtype=np.int8)
    strategy.first.add([3], y, rng=rng)
    strategy.second.add([3, 8], np.repeat(y, 2, axis=0), rng=rng)
    found = count_stored(strategy, image_size=10)
    assert found.images == 2 and found.rows.tolist() == [3, 8] and found.bytes == 2 * 300 + 3 * 2


def test_a_memory_over_its_budget_fails_the_run() -> None:
    strategy = Keeps()
    strategy.buffer = Memory(3)
    strategy.buffer.add([1, 2, 3], np.ones((3, 1), dtype=np.int8), rng=np.random.default_rng(0))
    strategy.buffer.capacity = 2
    with pytest.raises(RunError, match="holds 3 images; its budget is 2"):
        count_stored(strategy, image_size=10)


def test_all_memories_together_stay_within_the_field_that_tables_show() -> None:
    class Two(Strategy):
        """Has two memories."""

        memory: int = 4
        per_class: bool = False

    strategy, rng, y = Two(), np.random.default_rng(0), np.ones((3, 2), dtype=np.int8)
    strategy.one, strategy.two = Memory(3), Memory(3)
    strategy.one.add([1, 2, 3], y, rng=rng)
    strategy.two.add([3, 4], y[:2], rng=rng)
    assert count_stored(strategy, image_size=1).images == 4
    strategy.two.add([5], y[:1], rng=rng)
    with pytest.raises(OverBudgetError, match="holds 5 images; its field `memory` allows 4"):
        count_stored(strategy, image_size=1)
    strategy.per_class = True  # two labels: eight images
    assert count_stored(strategy, image_size=1).images == 5


class Turning:
    """Exemplars whose rows are others at every second look."""

    targets, logits = np.ones((1, 1), dtype=np.int8), None

    def __init__(self, *rows: int) -> None:
        self.turns = list(rows)

    @property
    def rows(self) -> np.ndarray:
        self.turns.append(self.turns.pop(0))
        return np.array(self.turns[-1:])


def test_what_is_replayed_is_what_was_looked_at_and_was_counted_before() -> None:
    may = Replayable(np.array([4, 5]), np.array([7]), size=9)
    assert may.rows.tolist() == [4, 5, 7]
    taken = may.taken(Turning(7, 8), strategy=Keeps())
    assert taken.rows.tolist() == taken.rows.tolist() == [7]
    for row in (8, 9, -1):
        with pytest.raises(OverBudgetError, match=f"Keeps replays row {row}, which was not among the images counted"):
            may.taken(Exemplars(np.array([5, row]), np.ones((2, 1), dtype=np.int8)), strategy=Keeps())


@pytest.mark.parametrize(("images", "size", "parts"), [(70, 2, 4), (5, 2, 1), (0, 2, 1), (4000, 7, 32)])
def test_parts_are_the_same_whatever_the_number_of_processes(
    images: int, size: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shares(world: int) -> list[list[list[int]]]:
        """Return the rows of each part's batches, the parts of all processes in order."""
        monkeypatch.setattr("clbench.method.session.world", lambda: world)
        found = []
        for rank in range(world):
            monkeypatch.setattr("clbench.method.session.rank", lambda rank=rank: rank)
            session = live([])
            session.rows = np.arange(images)
            session.targets = np.zeros((images, 2), dtype=np.int8)
            found.append([[batch.rows.tolist() for batch in part] for part in session.parts(size=size)])
        assert len({len(share) for share in found}) == 1, "every process has to be asked as often"
        return [part for turn in zip(*found, strict=True) for part in turn]

    alone = shares(1)
    assert len(alone) == parts
    assert [row for part in alone for batch in part for row in batch] == list(range(images))
    assert [len(batch) for part in alone for batch in part][:-1] == [size] * max(-(-images // size) - 1, 0)
    for world in (2, 3, 40):
        shared = shares(world)
        assert shared[:parts] == alone and not any(shared[parts:])
