"""What a run that was asked to stop says of its state."""

from __future__ import annotations

from pathlib import Path

import pytest

from clbench.train.stopping import Interrupted, leaving_nothing


def test_a_run_in_a_passing_folder_says_nothing_of_a_saved_state():
    with pytest.raises(KeyboardInterrupt) as stopped, leaving_nothing():
        raise Interrupted(Path("passing/state.pt"))
    assert type(stopped.value) is KeyboardInterrupt and not str(stopped.value)
    assert str(Interrupted(Path("kept/state.pt"))).startswith("Stopped; the state is saved in kept/state.pt.")
