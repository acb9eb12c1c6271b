"""DER++ by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_scenarios import FakeSession, batch_of, built, toy_session

from clbench.spec.scenario import TrainSpec

NAN = float("nan")


def bce(logit: float, target: float) -> float:
    return float(np.log1p(np.exp(-logit)) if target else np.log1p(np.exp(logit)))


def test_the_loss_is_the_sum_of_new_labels_stored_logits_and_stored_labels() -> None:
    der = built("derpp", seen=2, alpha=0.3, beta=0.7)
    der._train = TrainSpec(loss="bce", reduction="sum")
    batch = batch_of(
        [1, 2, 3, 4],
        [[-1, 1], [-1, 0], [1, -1], [0, -1]],
        replayed=2,
        # the first draw was stored when there was one label, the second is there for its label and brings no logits
        logits=[[NAN, NAN], [NAN, NAN], [0.5, NAN], [NAN, NAN]],
    )
    logits = torch.tensor([[0.1, 1.0], [0.2, -1.0], [2.0, 3.0], [-1.5, 4.0]])
    new = (bce(1.0, 1) + bce(-1.0, 0)) / 2
    wanted = new + 0.3 * (2.0 - 0.5) ** 2 + 0.7 * bce(-1.5, 0)
    assert der.loss(batch, logits).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 0.5), ("sum", 1.0), ("total", 2.0)])
def test_the_distance_is_reduced_as_the_recipe_reduces(reduction: str, factor: float) -> None:
    der = built("derpp", seen=2, alpha=1.0, beta=0.0)
    der._train = TrainSpec(loss="bce", reduction=reduction)
    rows = [[NAN, NAN]] * 2 + [[1.0, 2.0], [0.0, 1.0], [NAN, NAN], [NAN, NAN]]
    batch = batch_of(list(range(6)), [[-1, -1]] * 6, replayed=4, logits=rows)
    # |(1, 2)|^2 + |(0, 1)|^2 = 6 over two images of two labels
    assert der.loss(batch, torch.zeros(6, 2)).item() == pytest.approx(6 / 2 * factor)


def test_logits_are_stored_as_wide_as_they_were_and_new_labels_have_none() -> None:
    der = built("derpp", seen=1, memory=4)
    der.after_step(batch_of([3, 5], [[1], [0]]), torch.tensor([[0.25], [-2.0]]))
    der.begin_session(FakeSession(toy_session([6], [[-1, -1]], index=1)))
    der.after_step(batch_of([6], [[-1, 1]]), torch.tensor([[0.5, 0.75]]))
    held = der.buffer.exemplars()
    stored = dict(zip(held.rows.tolist(), held.logits.tolist(), strict=True))
    assert stored[6] == [0.5, 0.75] and stored[3][0] == 0.25 and np.isnan(stored[3][1])
    assert held.targets[held.rows == 3].tolist() == [[1, -1]]


def test_two_draws_come_back_each_as_large_as_the_batch() -> None:
    der = built("derpp", seen=1, memory=30)
    rows = list(range(30))
    der.after_step(batch_of(rows, [[1]] * 30), torch.zeros(30, 1))
    recalled = der.recall(batch_of([40, 41, 42], [[1]] * 3))
    first, second = recalled.rows[:3].tolist(), recalled.rows[3:].tolist()
    assert len(set(first)) == len(set(second)) == 3 and first != second
    assert recalled.logits.shape == (6, 1)


def test_the_first_step_has_nothing_to_replay() -> None:
    der = built("derpp", seen=2)
    batch = batch_of([1], [[1, 0]])
    assert len(der.recall(batch).rows) == 0
    logits = torch.tensor([[0.5, -0.5]])
    assert torch.equal(der.loss(batch, logits), der.classification(logits, batch.targets))


def test_logits_of_replayed_images_are_not_stored_again() -> None:
    der = built("derpp", seen=1, memory=4)
    der.after_step(batch_of([3], [[1]]), torch.tensor([[0.25]]))
    der.after_step(batch_of([7, 3], [[1], [1]], replayed=1), torch.tensor([[0.0], [9.0]]))
    held = der.buffer.exemplars()
    assert held.logits[held.rows == 3].tolist() == [[0.25]]
