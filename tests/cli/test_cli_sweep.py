"""`clbench sweep` as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_scenarios import scenario

from clbench.cost.from_pins import counts_from_pins
from clbench.plan.plans import plan

Cli = Callable[..., Any]


@pytest.fixture
def sweep(here: Path) -> str:
    scenario(here)
    (here / "sweep.yaml").write_text(
        "scenarios: [miniature.yaml]\nstrategies: [naive, er]\nseeds: [0]\nset: {train.epochs: 1}\n"
        "grid: {er.memory: [5, 6]}\n"
    )
    return "sweep.yaml"


def test_a_dry_run_lists_every_run_and_runs_none(cli: Cli, sweep: str, here: Path) -> None:
    done = cli("sweep", sweep, "--dry-run")
    assert done.code == 0
    assert "3 runs, 3 to do" in done.out
    assert "miniature · er · er.memory=6" in done.out
    rows = [line.split() for line in done.out.splitlines() if line.startswith("miniature · ")]
    images, steps = (sum(int(row[row.index("do") + at].replace(",", "")) for row in rows) for at in (2, 3))
    assert f"To do: 3 runs, {images:,} images trained on in {steps:,} steps" in done.out
    assert not (here / "results").exists()


def test_a_sweep_runs_what_is_left_and_says_where_it_lies(cli: Cli, sweep: str, here: Path) -> None:
    first = cli("sweep", sweep, "--device", "cpu", "--jobs", "1")
    assert first.code == 0, first.err
    assert "3 of 3 runs have their record in results" in first.out
    assert first.err.count(": finished in") == 3
    assert len(list(here.glob("results/miniature.v1/*/*/seed0.json"))) == 3
    again = cli("sweep", sweep, "--device", "cpu", "--jobs", "1")
    assert again.code == 0 and "3 of them finished before" in again.err and "started" not in again.err


def test_one_failure_leaves_the_others_and_exit_code_5(cli: Cli, sweep: str, here: Path) -> None:
    (here / "breaks.py").write_text(
        '"""Breaks."""\nfrom clbench import Strategy\n\n\nclass Breaks(Strategy):\n    """Breaks."""\n\n'
        "    def loss(self, batch, logits):\n        raise ValueError('no such thing')\n"
    )
    (here / "sweep.yaml").write_text(
        "scenarios: [miniature.yaml]\nstrategies: [breaks.py, naive]\nseeds: [0]\nset: {train.epochs: 1}\n"
    )
    done = cli("sweep", sweep, "--device", "cpu", "--jobs", "1")
    assert done.code == 5
    assert "ValueError: no such thing" in done.err and "1 of 2 runs failed" in done.err
    assert "1 of 2 runs have their record" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--calibrate"], "--calibrate belongs to --dry-run"),
        (["--gpus-per-run", "0.5"], "belong to --address"),
        (["--address", "auto", "--jobs", "2"], "exclude each other"),
        (["--features", "maps"], "--features maps: train.freeze is 'none', so the backbone changes"),
    ],
)
def test_options_that_contradict_each_other_are_refused(words: list[str], said: str, cli: Cli, sweep: str) -> None:
    done = cli("sweep", sweep, *words)
    assert done.code == 2 and said in done.err and "runs failed" not in done.err


def test_a_stand_in_is_announced(cli: Cli, here: Path) -> None:
    (here / "table.yaml").write_text("scenarios: [coco_b40c10]\nstrategies: [naive]\nseeds: [0]\n")
    done = cli("sweep", "table.yaml", "--dry-run")
    assert done.code == 0, done.err
    assert "STAND-IN: coco2014" in done.err and "scenes (stand-in)" in done.out


def test_a_dry_run_sums_the_stand_in_and_by_the_pins_the_data_set_itself(cli: Cli, here: Path) -> None:
    (here / "table.yaml").write_text("scenarios: [coco_b40c10]\nstrategies: [naive]\nseeds: [0, 1]\n")
    done = cli("sweep", "table.yaml", "--dry-run")
    assert done.code == 0, done.err
    pinned = plan("coco_b40c10", strategies=["naive"], seeds=[0], absent="counted", own=True)[0]
    assert pinned.absent and pinned.train.image_size == 224  # the paper's recipe, not that of the stand-in
    images = 2 * sum(count.images for count in counts_from_pins(pinned, pinned.new_strategy())[0])
    assert images > 1_000_000
    said = " ".join(done.out.split())
    assert "To do: 2 runs (all on generated pictures), " in said
    assert f"On coco2014, without the stand-in: 2 runs, {images:,} images trained on" in said
    assert "images per session are those of the pins" in said
