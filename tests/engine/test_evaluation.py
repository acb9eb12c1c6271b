"""What scores say about the growing and the fixed test set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.errors import DataError, RunError
from clbench.method.strategy import Strategy
from clbench.stream.stream import Session
from clbench.train.scoring.evaluate import evaluate, ranked_by, score_matrix


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
    found = evaluate(
        scores, truth=truth, test_rows=np.arange(10, 14), session=session([10, 11, 12], 2, 2), ranking="probabilities"
    )
    # label a on rows 10-12: ranks 0.9 (+), 0.6 (-), 0.3 (+) -> (1 + 2/3) / 2; on all four 0.8 (-) comes in between
    assert found.growing[:2] == pytest.approx([5 / 6, 1.0])
    assert found.fixed[:2] == pytest.approx([(1 + 2 / 4) / 2, 1.0])
    assert np.isnan(found.growing[2]) and np.isnan(found.fixed[2])
    assert found.counts["0.5"] == {"tp": [1, 1, None], "fp": [1, 0, None], "fn": [1, 1, None]}
    assert found.counts["0.8"] == {"tp": [1, 0, None], "fp": [0, 0, None], "fn": [1, 2, None]}


def test_columns_that_are_in_the_head_but_not_learned_yet_are_not_scored() -> None:
    truth = np.array([[1, 1], [0, 0]], dtype=np.int8)
    scores = np.array([[0.9, 0.9], [-0.1, 0.1]], dtype=np.float32)
    found = evaluate(scores, truth=truth, test_rows=np.array([0, 1]), session=session([0, 1], 1, 2), ranking="logits")
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
        (Says(width=3), "3\\) for 2 images and 2"),
        (Says(value=1.5), "not probabilities"),
        (Says(value=float("nan")), "scores gave NaN"),
    ],
)
def test_scores_of_the_wrong_shape_or_kind_stop_the_run(strategy: Strategy, message: str) -> None:
    with pytest.raises(RunError, match=message):
        matrix(strategy)
    assert matrix(Says()).shape == (5, 2)
    assert matrix(Says(), readers=2).shape == (5, 2)


# ---------------------------------------------------------------------- ranked before the sigmoid


def matrix(strategy: Strategy, *, protocol: int = 2, readers: int = 0) -> np.ndarray:
    return score_matrix(
        strategy,
        source=Source(),
        rows=np.arange(5),
        seen=2,
        device=torch.device("cpu"),
        batch=2,
        ranking=ranked_by(strategy, protocol=protocol),
        readers=readers,
    )


class Steady(Strategy):
    """Has the same logit for every picture and label."""

    value: float = 0.0

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        return torch.full((len(images), 2), self.value)


@pytest.mark.parametrize("value", [-40.0, -17.3, 0.0, 2.0, 16.7, 18.4, 90.0, float("inf")])
def test_one_logit_everywhere_gives_the_prevalence_whatever_its_value(value: float) -> None:
    truth = np.array([[1, 0], [0, 0], [1, 1], [0, 0], [0, 0]], dtype=np.int8)
    scores = matrix(Steady(value=value))
    found = evaluate(
        scores, truth=truth, test_rows=np.arange(5), session=session([0, 1, 2, 3, 4], 2, 2), ranking="logits"
    )
    # all five images tie at one threshold: precision there is 2/5 for the first label and 1/5 for the second
    assert found.fixed.tolist() == [0.4, 0.2]


def test_logits_that_one_probability_stands_for_keep_their_order() -> None:
    logits = np.array([[40.0, 3.0], [30.0, -3.0], [20.0, -3.0]], dtype=np.float32)
    truth = np.array([[1, 1], [0, 0], [0, 0]], dtype=np.int8)
    arguments = {"truth": truth, "test_rows": np.arange(3), "session": session([0, 1, 2], 2, 2)}
    assert evaluate(logits, **arguments, ranking="logits").fixed.tolist() == [1.0, 1.0]
    # float32 has one number for the sigmoid of 20, 30 and 40: three images tie, one of them is right
    squashed = torch.from_numpy(logits).sigmoid().numpy()
    assert evaluate(squashed, **arguments, ranking="probabilities").fixed[0] == 1 / 3


def test_f1_is_decided_on_logits_where_it_would_be_on_probabilities() -> None:
    # the sigmoid of ln 4 = 1.3863 is 0.8, that of 0 is 0.5, and what equals a threshold is no prediction
    logits = np.array([[1.387], [1.386], [0.001], [0.0], [-0.001]], dtype=np.float32)
    truth = np.ones((5, 1), dtype=np.int8)
    arguments = {"truth": truth, "test_rows": np.arange(5), "session": session([0, 1, 2, 3, 4], 1, 1)}
    found = evaluate(logits, **arguments, ranking="logits").counts
    squashed = evaluate(torch.from_numpy(logits).sigmoid().numpy(), **arguments, ranking="probabilities").counts
    assert (found["0.8"]["tp"], found["0.5"]["tp"]) == ([1], [3])
    assert found["0.8"] == squashed["0.8"] and found["0.5"] == squashed["0.5"]


def test_a_strategy_declares_what_ranks_by_the_verb_that_it_overrides() -> None:
    class Both(Says):
        """Says what its logits are where the class above gave probabilities."""

        def logits(self, images: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(images), self.width)

    told = [ranked_by(kind(), protocol=2) for kind in (Strategy, Steady, Says, Both)]
    assert told == ["logits", "logits", "probabilities", "logits"]
    assert {ranked_by(kind(), protocol=1) for kind in (Strategy, Steady, Says, Both)} == {"probabilities"}
