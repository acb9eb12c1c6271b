"""The strategies of the page on writing one keep the promises that all keep, and do what the page says of them."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clbench import Strategy
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.records.record import read_record
from clbench.testing import check_strategy
from clbench.testing.checks.training import Teacher
from clbench.train.assembly import Parts
from clbench.train.events import silent
from clbench.train.prepare import plan_backbone
from clbench.train.run import Run, RunOptions

PAGE = Path(__file__).parents[2] / "docs" / "strategy.md"
FILES = {
    match.group(2).lower(): match.group(1)
    for match in re.finditer(
        r"```python\n((?:(?!```).)*class ([A-Z]\w*)\(Strategy\):.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
}


def file_of(name: str, folder: Path) -> Path:
    path = folder / f"{name}.py"
    path.write_text(f'"""From the page."""\n\n{FILES[name]}', encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_BESIDE", "")


@pytest.mark.parametrize("name", ["solved", "adapted"])
def test_an_example_keeps_every_promise(name: str, tmp_path: Path) -> None:
    outcomes = check_strategy(str(file_of(name, tmp_path)))
    assert {outcome.status for outcome in outcomes} == {"passed", "noted"}


def test_the_page_has_no_example_that_nobody_runs() -> None:
    assert set(FILES) == {"mine", "solved", "adapted"}


def carried_out(path: Path, folder: Path, *, features: Any = "off") -> tuple[Run, nn.Module]:
    """A run with a frozen backbone, and the backbone as it was when it was made."""
    torch.set_num_threads(1)
    sets = ["train.freeze=backbone", "train.augment=none", "train.epochs=1", "train.amp=off"]
    (wanted,) = plan("tiny", strategies=[str(path)], seeds=[0], sets=sets)
    born: list[nn.Module] = []

    def backbone(item: Plan) -> Any:
        made = plan_backbone(item)
        born.append(copy.deepcopy(made))
        return made

    options = RunOptions(results=folder, device="cpu", cache=False, features=features)
    run = Run(wanted, options, watch=silent, parts=Parts(backbone=backbone))
    run.carry_out()
    return run, born[0]


@pytest.mark.slow
def test_freezing_the_backbone_leaves_the_adapter_to_train_on_stored_features_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    path = file_of("adapted", tmp_path)
    run, born = carried_out(path, tmp_path / "pictures")
    assert all(torch.equal(a, b) for a, b in zip(run.backbone.parameters(), born.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(run.backbone.buffers(), born.buffers(), strict=True))
    assert run.strategy.net.between.up.weight.abs().sum() > 0
    stored, _ = carried_out(path, tmp_path / "features", features="maps")
    assert read_record(stored.record).ap == read_record(run.record).ap


class _Wrapper(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.inner, self.width = backbone, backbone.width
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.scale * self.inner(images)
        return maps


class Wraps(Strategy):
    """Wraps the backbone."""

    def build(self, backbone: nn.Module, labels: tuple[str, ...]) -> None:
        super().build(_Wrapper(backbone), labels)


def test_a_wrapped_backbone_is_examined_like_any_other() -> None:
    looked = ["optimiser_holds_what_trains", "teacher_is_frozen", "what_predicts_is_counted"]
    outcomes = {outcome.check: outcome.note for outcome in check_strategy(Wraps, checks=looked)}
    assert outcomes["teacher_is_frozen"] == Teacher().note
