"""The battery trains for half as long here: what it promises of a strategy is asked all the same."""

from __future__ import annotations

import msgspec
import pytest

from clbench.testing import probed_run
from clbench.testing.world import RECIPE


@pytest.fixture(autouse=True)
def shorter_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = msgspec.structs.replace(RECIPE, epochs=RECIPE.epochs // 2, lr=2 * RECIPE.lr)
    monkeypatch.setattr(probed_run, "RECIPE", shorter)
