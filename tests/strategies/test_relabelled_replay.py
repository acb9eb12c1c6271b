"""Relabelled replay: what is believed stands beside what is known, and never in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_scenarios import finished, planned, scenario

from clbench.nn.memory import Exemplars
from clbench.nn.rehearsal.relabelling import BelievedLabels, believed

NAN = float("nan")


def test_a_label_is_believed_where_the_score_is_sure_and_known_ones_stand():
    targets = torch.tensor([[NAN, NAN, NAN, 0.0, NAN], [1.0, NAN, NAN, NAN, 1.0]])
    scores = torch.tensor([[0.9, 0.1, 0.5, 0.99], [0.0, 0.95, 0.2, 0.81]])
    found = believed(targets, scores, threshold=0.8, below="confident")
    wanted = torch.tensor([[1.0, 0.0, NAN, 0.0, NAN], [1.0, 1.0, NAN, 1.0, 1.0]])
    assert torch.equal(found.nan_to_num(nan=9), wanted.nan_to_num(nan=9))
    assert torch.equal(believed(found, scores, threshold=0.8, below="confident").isnan(), found.isnan())
    assert not believed(targets, scores, threshold=0.8, below="negative")[:, :4].isnan().any()
    for below in ("confident", "keep"):
        assert torch.equal(believed(targets, scores, threshold=1.1, below=below).isnan(), targets.isnan())


def test_the_block_matrix_of_known_believed_and_unknown_labels_after_three_sessions():
    """Image 10 is of session 0, 11 of session 1, 12 of session 2; one label each."""
    beliefs = BelievedLabels()
    beliefs.follow(np.array([10]), width=1)
    beliefs.follow(np.array([10, 11]), width=2)
    beliefs.write(np.array([10]), np.array([[1]], dtype=np.int8), columns=slice(1, 2))
    beliefs.write(np.array([11]), np.array([[0]], dtype=np.int8), columns=slice(0, 1))
    beliefs.follow(np.array([12, 10, 11]), width=3)
    beliefs.write(np.array([10, 11]), np.array([[-1], [1]], dtype=np.int8), columns=slice(2, 3))
    held = Exemplars(np.array([10, 11, 12]), np.array([[1, -1, -1], [-1, 0, -1], [-1, -1, 1]], dtype=np.int8))
    assert beliefs.completed(held).targets.tolist() == [[1, 1, -1], [0, 0, 1], [-1, -1, 1]]
    # a belief is written once, gives way to what becomes known, and goes with its image
    beliefs.write(np.array([10]), np.array([[0]], dtype=np.int8), columns=slice(1, 2))
    assert beliefs.completed(held).targets[0].tolist() == [1, 1, -1]
    known = Exemplars(np.array([10]), np.array([[1, 0, -1]], dtype=np.int8))
    assert beliefs.completed(known).targets.tolist() == [[1, 0, -1]]
    other = BelievedLabels()
    other.load(beliefs.state())
    assert other.completed(held).targets.tolist() == beliefs.completed(held).targets.tolist()
    beliefs.follow(np.array([12]), width=3)
    assert beliefs.completed(held).targets.tolist() == held.targets.tolist()


def test_a_threshold_that_nothing_reaches_is_plain_replay_to_the_bit(tmp_path: Path):
    _, plain = finished(planned(scenario(tmp_path), "er", "er.memory=20"), tmp_path)
    run, never = finished(
        planned(scenario(tmp_path), "relabel", "relabel.memory=20", "relabel.threshold=1.1"), tmp_path
    )
    assert [score.sha256 for score in never.scores] == [score.sha256 for score in plain.scores]
    assert (run.strategy.beliefs.labels == -1).all()


def test_in_a_run_known_labels_stay_and_no_true_label_of_a_later_session_enters(tmp_path: Path):
    sets = ("relabel.memory=40", "relabel.threshold=0.5")
    run, record = finished(planned(scenario(tmp_path), "relabel", *sets), tmp_path)
    _, plain = finished(planned(scenario(tmp_path), "er", "er.memory=40"), tmp_path)
    held = run.strategy.buffer.exemplars()
    completed = run.strategy.beliefs.completed(held)
    known = held.targets >= 0
    assert np.array_equal(completed.targets[known], held.targets[known])
    assert not known.all() and (completed.targets >= 0).all()
    assert "leak" not in record.marks
    assert [cost.stored_bytes for cost in record.costs] == [cost.stored_bytes for cost in plain.costs]
    assert record.costs[2].state_bytes > plain.costs[2].state_bytes == 0


@pytest.mark.parametrize("which", ["new-images", "stored-images"])
def test_each_direction_can_be_left_out(which: str, tmp_path: Path):
    sets = ("relabel.memory=40", "relabel.threshold=0.5", f"relabel.which={which}")
    run, _ = finished(planned(scenario(tmp_path), "relabel", *sets), tmp_path)
    beliefs, session = run.strategy.beliefs, run.stream.sessions[-1]
    own = np.isin(beliefs.rows, session.rows)
    only = own & ~np.isin(beliefs.rows, np.concatenate([past.rows for past in run.stream.sessions[:-1]]))
    new = beliefs.labels[:, session.new]
    assert (new[~own] >= 0).any() == (which == "stored-images")
    assert (beliefs.labels[only, : session.new.start] >= 0).any() == (which == "new-images")
