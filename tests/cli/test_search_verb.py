"""`clbench search` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_scenarios import scenario

Cli = Callable[..., Any]
FILE = """\
scenario: miniature.yaml
strategies: [naive]
space:
  train.lr: {low: 1e-4, high: 1e-1, log: true}
trials: 2
batch: 2
validation: 0.3
sessions: 1
final_seeds: [0]
"""


@pytest.fixture
def search(here: Path) -> str:
    scenario(here, train={"epochs": 1})
    (here / "search.yaml").write_text(FILE)
    return "search.yaml"


def test_a_dry_run_says_what_is_searched_and_runs_nothing(cli: Cli, search: str, here: Path) -> None:
    done = cli("search", search, "--dry-run")
    assert done.code == 0, done.err
    assert "miniature · naive" in done.out and "train.lr: 0.0001 to 0.1, log" in done.out
    assert "validation images (the final runs train on them too)" in done.out
    assert "1 runs of each strategy's best configuration" in done.out
    assert not (here / "results").exists()


def test_a_search_ends_in_a_row_that_shows_its_trials(cli: Cli, search: str, here: Path) -> None:
    first = cli("search", search, "--device", "cpu", "--jobs", "1")
    assert first.code == 0, first.err
    assert "miniature · naive: 2 trials" in first.out and "1 of 1 runs have their record in results" in first.out
    (file,) = here.glob("results/miniature.v1/naive/*/seed0.json")
    assert json.loads(file.read_bytes())["tuning"]["trials"] == 2

    again = cli("search", search, "--device", "cpu", "--jobs", "1")
    assert again.code == 0 and "2 of them finished before" in again.err and "started" not in again.err

    assert cli("run", "miniature.yaml", "--strategy", "naive", "--seed", "0", "--device", "cpu", "--quiet").code == 0
    board = json.loads(cli("report", "leaderboard", "miniature", "--format", "json").out)
    (table,) = board["tables"]
    assert sorted(row["cells"]["trials"]["mean"] or 0 for row in table["rows"]) == [0, 2]
    shown = cli("report", "leaderboard", "miniature")
    assert "Trials" in shown.out and len(table["rows"]) == 2, "trials are no rows"
    assert "trial" not in cli("status").out and cli("verify").code == 0


def test_a_strategy_that_cannot_be_built_stops_the_search_before_the_first_trial(
    cli: Cli, search: str, here: Path
) -> None:
    file = here / search
    file.write_text(file.read_text().replace("[naive]", "[naive, l2p]"))
    done = cli("search", search, "--device", "cpu", "--jobs", "1")
    assert done.code == 2 and "the strategy works inside the blocks" in done.err, done.err
    assert not list(here.rglob("seed*.json"))


def test_without_final_seeds_the_best_configuration_is_told(cli: Cli, search: str, here: Path) -> None:
    (here / search).write_text(FILE.replace("final_seeds: [0]", "final_seeds: []").replace("trials: 2", "trials: 1"))
    done = cli("search", search, "--device", "cpu", "--jobs", "1", "--quiet")
    assert done.code == 0, done.err
    assert "miniature · naive: train.lr=" in done.out and not list(here.glob("results/*.v1"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("validation: 0.3\n", "", "search.yaml: validation: missing, and miniature holds out no images"),
        ("low: 1e-4", "low: 1", "search.yaml: space.train.lr: low 1 and high 0.1"),
        ("trials: 2", "trials: many", "search.yaml"),
        ("scenario: miniature.yaml\n", "", "scenario"),
    ],
)
def test_a_wrong_file_is_said_with_exit_code_2(
    old: str, new: str, said: str, cli: Cli, search: str, here: Path
) -> None:
    (here / search).write_text(FILE.replace(old, new))
    done = cli("search", search)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err
    assert not (here / "results").exists()


def test_a_file_that_is_not_there_is_named(cli: Cli) -> None:
    done = cli("search", "nowhere.yaml")
    assert done.code == 2 and "nowhere.yaml: cannot be read" in done.err


def test_a_stand_in_is_announced(cli: Cli, here: Path) -> None:
    (here / "search.yaml").write_text(FILE.replace("miniature.yaml", "coco_b40c10"))
    done = cli("search", "search.yaml", "--dry-run")
    assert done.code == 0, done.err
    assert "STAND-IN: coco2014" in done.err
