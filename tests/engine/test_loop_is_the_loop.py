"""The shared loop trains exactly as a plain loop does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from reference_loop import train_plainly

from clbench.plan.plans import plan
from clbench.train.events import silent
from clbench.train.run import Run, RunOptions


@pytest.mark.parametrize("name", ["naive", "er", "lwf"])
def test_weights_and_scores_are_those_of_a_plain_loop_bit_for_bit(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    (wanted,) = plan("tiny", strategies=[name], seeds=[3])
    run = Run(wanted, RunOptions(results=tmp_path, device="cpu"), watch=silent)
    run.carry_out()
    reference, scores = train_plainly(wanted)
    ours, theirs = run.strategy.state_dict(), reference.state_dict()
    assert list(ours) == list(theirs)
    for key in ours:
        assert torch.equal(ours[key], theirs[key]), key
    for session, expected in enumerate(scores):
        assert np.array_equal(np.load(run.work / f"scores-{session}.logits.npy"), expected)
