"""What scores say about the growing and the fixed test set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.errors import DataError, RunError
from clbench.method.strategy import Strategy
from clbench.stream.stream import Session
from clbench.train.evaluate import evaluate, score_matrix


def session(test_rows: list[int], learned: int, seen: int) -> Session:
    empty = np.zeros(0, dtype=np.int64)
    return Session(
        index=0,
        new=slice(0, learned),
        seen=seen,
        learned=learned,
        labels=("a", "b", "c")[:seen],
        rows=empty,
        targets=np.zeros((0, seen), dtype=np.int8),
        test_rows=np.array(test_rows),
    )


def test_a_hand_worked_case() -> None:
    truth = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=np.int8)
    scores = np.array([[0.9, 0.2], [0.6, 0.7], [0.3, 0.4], [0.8, 0.1]], dtype=np.float32)
    found = evaluate(scores, truth=truth, test_rows=np.array([10, 11, 12, 13]), session=session([10, 11, 12], 2, 2))
    # label a on rows 10-12: ranks 0.9 (+), 0.6 (-), 0.3 (+) -> (1 + 2/3) / 2; on all four 0.8 (-) comes in between
    assert found.growing[:2] == pytest.approx([5 / 6, 1.0])
    assert found.fixed[:2] == pytest.approx([(1 + 2 / 4) / 2, 1.0])
    assert np.isnan(found.growing[2]) and np.isnan(found.fixed[2])
    assert found.counts["0.5"] == {"tp": [1, 1, None], "fp": [1, 0, None], "fn": [1, 1, None]}
    assert found.counts["0.8"] == {"tp": [1, 0, None], "fp": [0, 0, None], "fn": [1, 2, None]}


def test_columns_that_are_in_the_head_but_not_learned_yet_are_not_scored() -> None:
    truth = np.array([[1, 1], [0, 0]], dtype=np.int8)
    scores = np.array([[0.9, 0.9], [0.1, 0.1]], dtype=np.float32)
    found = evaluate(scores, truth=truth, test_rows=np.array([0, 1]), session=session([0, 1], 1, 2))
    assert found.growing[0] == 1.0 and np.isnan(found.growing[1]) and found.counts["0.5"]["tp"] == [1, None]


class Source:
    size = 2

    def read(self, rows: np.ndarray) -> torch.Tensor:
        return torch.zeros(len(rows), 3, 2, 2, dtype=torch.uint8)


class Numbered:
    """Pictures that show their own row."""

    size = 2

    def read(self, rows: np.ndarray) -> torch.Tensor:
        if (rows == 13).any():
            raise DataError("row 13 is no picture.")
        return torch.from_numpy(rows.astype(np.uint8))[:, None, None, None].expand(-1, 3, 2, 2).clone()


@pytest.mark.parametrize("readers", [0, 1, 2])
def test_pictures_come_in_order_whoever_reads_them(readers: int) -> None:
    rows = np.array([5, 3, 8, 1, 2, 40, 7])
    parts = list(read_ahead(Numbered(), rows, batch=3, readers=readers))
    assert [len(part) for part in parts] == [3, 3, 1]
    assert torch.cat(parts)[:, 0, 0, 0].tolist() == rows.tolist()
    assert list(read_ahead(Numbered(), rows[:0], batch=3, readers=readers)) == []
    with pytest.raises(DataError, match="row 13 is no picture"):
        list(read_ahead(Numbered(), np.array([1, 13]), batch=1, readers=readers))


def test_readers_draw_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    list(read_ahead(Numbered(), np.arange(4), batch=2, readers=2))
    assert torch.equal(torch.get_rng_state(), before)


class Says(Strategy):
    """Gives fixed scores."""

    width: int = 2
    value: float = 0.5

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), self.width), self.value)


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Says(width=3), "3\\) for 5 images and 2"),
        (Says(value=1.5), "not probabilities"),
        (Says(value=float("nan")), "not prob"),
    ],
)
def test_scores_of_the_wrong_shape_or_kind_stop_the_run(strategy: Strategy, message: str) -> None:
    arguments = {"source": Source(), "rows": np.arange(5), "seen": 2, "device": torch.device("cpu"), "batch": 2}
    with pytest.raises(RunError, match=message):
        score_matrix(strategy, **arguments)
    assert score_matrix(Says(), **arguments).shape == (5, 2)
    assert score_matrix(Says(), **arguments, readers=2).shape == (5, 2)
