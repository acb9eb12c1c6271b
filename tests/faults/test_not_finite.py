"""Losses that are not finite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from fault_tools import make_data

from clbench.errors import RunError
from clbench.plan.plans import plan
from clbench.train.run import RunOptions, run

STRATEGY = '''
"""For a test."""

import torch
from torch import Tensor

from clbench import Batch, Strategy


class Explodes(Strategy):
    """Has a loss that is not finite in the third step of the second session."""

    factor = float("nan")  # no field: a record cannot hold it
    steps: int = 0

    def after_step(self, batch: Batch, logits: Tensor) -> None:
        self.made = getattr(self, "made", 0) + (logits.shape[1] == 4)

    def loss(self, batch: Batch, logits: Tensor) -> Tensor:
        return super().loss(batch, logits) * (self.factor if getattr(self, "made", 0) == 2 else 1.0)
'''


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_the_run_stops_and_the_images_of_the_batch_are_saved(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")
    torch.set_num_threads(1)
    scenario = make_data(tmp_path / "data")
    (tmp_path / "explodes.py").write_text(STRATEGY.replace('"nan"', f'"{value}"'))
    (wanted,) = plan(str(scenario), strategies=[str(tmp_path / "explodes.py")], seeds=[0])
    options = RunOptions(results=tmp_path / "results", device="cpu", save_minutes=0.0)
    with pytest.raises(RunError, match="session 1, epoch 0: the loss is not finite") as caught:
        run(wanted, options)
    assert caught.value.exit_code == 5 and "train.lr" in caught.value.hint
    (path,) = (tmp_path / "results").rglob("not-finite.json")
    assert str(path) in caught.value.message
    told = json.loads(path.read_bytes())
    assert (told["session"], told["epoch"], len(told["images"])) == (1, 0, 8)
    known = {line.split(",")[0] for line in (tmp_path / "data" / "labels.csv").read_text().splitlines()[1:]}
    assert set(told["images"]) <= known
    # what was saved last is finite: the same command stops at the same place again
    (state,) = (tmp_path / "results").rglob("state.pt")
    module = torch.load(state, weights_only=True)["strategy"]["module"]
    assert all(bool(torch.isfinite(tensor).all()) for tensor in module.values() if tensor.is_floating_point())
    with pytest.raises(RunError, match="session 1, epoch 0: the loss is not finite"):
        run(wanted, options)
