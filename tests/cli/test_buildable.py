"""What cannot be put together is told before anything trains, by a dry run and by a run in the same words."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tiny_scenarios import planned, scenario

from clbench.errors import UsageError
from clbench.many.buildable import check_buildable
from clbench.many.here import run_all
from clbench.plan.plans import plan
from clbench.train import prepare
from clbench.train import put_together as together
from clbench.train.options import RunOptions

Cli = Callable[..., Any]
OWN = '"""Mine."""\nfrom clbench import Strategy\n\n\nclass Own(Strategy):\n    """Mine."""\n\n{body}'


def own(folder: Path, body: str, *, name: str = "own") -> str:
    path = folder / f"{name}.py"  # modules of two tests may not share a name
    path.write_text(OWN.format(body=body), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--strategy", "naive,multilane,l2p"],
            "multilane, l2p: the strategy works inside the blocks",
        ),
        (["--strategy", "naive,er", "--set", "er.memory=-1"], "er: memory: capacity is -1"),
        (["--set", "train.backbone=clbench_vit", "--set", "train.image_size=30"], "patches of 8 pixels"),
        (["--strategy", "naive,er", "--features", "maps"], "naive, er: --features maps: train.freeze is 'none'"),
        (
            ["--strategy", "naive,er", "--set", "train.batch_size=1", "--set", "train.image_size=8"],
            "batch of one image",
        ),
        (["--strategy", "naive", "--set", "train.image_size=1"], "train.image_size is 1, expected at least 2 pixels"),
        (["--strategy", "naive", "--set", "train.weights=stand-in"], "has weights for 'clbench_vit' alone"),
    ],
)
def test_a_run_that_no_network_can_carry_is_refused_as_its_dry_run_is(
    cli: Cli, here: Path, words: list[str], said: str
) -> None:
    dry, done = cli("run", "tiny", *words, "--dry-run"), cli("run", "tiny", *words, "--jobs", "1", "--quiet")
    assert (dry.code, done.code) == (2, 2)
    assert said in dry.err and dry.err == done.err
    assert not list(here.rglob("*.json"))


def test_a_mistake_in_one_of_many_runs_stops_the_sweep_before_the_first(cli: Cli, here: Path) -> None:
    scenario(here)
    (here / "sweep.yaml").write_text(
        "scenarios: [miniature.yaml]\nstrategies: [naive, er]\nseeds: [0, 1]\n"
        "settings: [{er.memory: 5}, {er.memory: -1}]\n"
    )
    dry, done = cli("sweep", "sweep.yaml", "--dry-run"), cli("sweep", "sweep.yaml", "--jobs", "1", "--quiet")
    assert (dry.code, done.code) == (2, 2)
    assert dry.err == done.err
    assert dry.err.startswith("Error: miniature · er · er.memory=-1: memory: capacity is -1")
    assert not list(here.rglob("*.json"))


def test_several_mistakes_are_all_told() -> None:
    plans = plan("tiny", strategies=["naive", "er", "l2p"], sets=["er.memory=-1"], seeds=[0])
    with pytest.raises(UsageError, match=r"(?s)2 of 3 configurations cannot run\.\ner: memory.*\nl2p: the strategy"):
        check_buildable(plans, RunOptions())


def test_seeds_are_built_once_and_what_is_finished_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setattr(together, "put_together", lambda plan, *_, **__: built.append(plan.title))
    plans = plan("tiny", strategies=["naive", "er"], seeds=[3, 4])
    check_buildable(plans, RunOptions(results=tmp_path))
    assert built == ["naive · seed 3", "er · seed 3"]
    for item in plans[:3]:
        item.place(tmp_path).record.parent.mkdir(parents=True, exist_ok=True)
        item.place(tmp_path).record.touch()
    check_buildable(plans, RunOptions(results=tmp_path))
    assert built[2:] == ["er · seed 4"]
    check_buildable(plans, RunOptions(results=tmp_path), dry=True)
    assert built[3:] == ["naive · seed 3", "er · seed 3"]


@pytest.mark.parametrize(("seeds", "built"), [([3], 1), ([3, 4], 3)])
def test_a_single_run_trains_on_the_stream_it_was_looked_at_with_and_several_build_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[int], built: int
) -> None:
    build, made = prepare.build_stream, []
    monkeypatch.setattr(prepare, "build_stream", lambda *given: made.append(build(*given)) or made[-1])
    plans = plan(scenario(tmp_path), strategies=["naive"], seeds=seeds)
    options = RunOptions(results=tmp_path, device="cpu")
    check_buildable(plans, options)
    assert [pickle.loads(pickle.dumps(item)).kept_stream() for item in plans] == [None] * len(seeds)
    outcomes = run_all(plans, options, jobs=1)
    assert all(outcome.record for outcome in outcomes) and len(made) == built
    assert plans[0].kept_stream() is None


def test_nobody_else_s_random_numbers_are_drawn(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    check_buildable([planned(scenario(tmp_path), "dlfl")], RunOptions())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("crash", ["raise ValueError('no such thing')", "raise SystemExit('no such thing')"])
def test_what_crashes_is_told_by_a_dry_run_and_leaves_the_others_their_run(cli: Cli, here: Path, crash: str) -> None:
    scenario(here)
    path = own(here, f"    def build(self, backbone, labels):\n        {crash}\n", name=f"crashes{len(crash)}")
    words = ["run", "miniature.yaml", "--strategy", f"{path},naive", "--seed", "0"]
    dry, done = cli(*words, "--dry-run"), cli(*words, "--jobs", "1", "--quiet")
    assert (dry.code, done.code) == (5, 5)
    for err in (dry.err, done.err):
        assert f"crashes{len(crash)}.py, line 9" in err and "no such thing" in err
    assert len(list(here.rglob("seed0.json"))) == 1


def test_a_network_that_needs_its_tensors_memory_is_built_as_a_run_builds_it(tmp_path: Path) -> None:
    body = "    def build(self, backbone, labels):\n        super().build(backbone, labels)\n"
    body += "        self.scale = float(next(backbone.parameters()).abs().max())\n"
    made = planned(scenario(tmp_path), own(tmp_path, body, name="reads_weights"))
    train = msgspec.structs.replace(made.train, backbone="resnet10t")
    check_buildable([dataclasses.replace(made, train=train)], RunOptions(), dry=True)


def test_data_that_are_not_here_are_left_to_the_machine_that_has_them(tmp_path: Path) -> None:
    made = planned(scenario(tmp_path), "naive")
    elsewhere = dataclasses.replace(made, dataset="coco2014", options={}, root=tmp_path / "nowhere")
    check_buildable([elsewhere], RunOptions())


def test_a_strategy_that_leaves_the_frozen_backbone_unused_is_refused(tmp_path: Path) -> None:
    body = "    def build(self, backbone, labels):\n        import copy\n\n"
    body += "        super().build(copy.deepcopy(backbone), labels)\n"
    made = plan(
        str(scenario(tmp_path)),
        strategies=[own(tmp_path, body, name="unused")],
        sets=["train.freeze=backbone"],
        seeds=[0],
    )
    with pytest.raises(UsageError, match="Own does not use the backbone"):
        check_buildable(made, RunOptions())
