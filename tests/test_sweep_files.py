"""The sweeps beside the benchmarks say what they mean: every run is made of values that exist, and none twice."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from clbench.many.sweep_file import expand, load_sweep
from clbench.nn.heads.by_name import build_head
from clbench.plan.catalog import find_scenario
from clbench.spec.scenario import load_scenario

FOLDER = Path(__file__).parents[1] / "benchmarks" / "sweeps"
RUNS = {
    "coco_part": 16,
    "stand_in_b0c10": 10,
    "coco_part_heads": 12,
    "csc": 3,
    "kbk_table1": 5,
    "kbk_table4": 7,
    "kbk_table4_voc": 7,
    "krt_table1": 19,
    "krt_table2": 10,
    "krt_table3": 6,
    "l3a": 2,
    "l3a_voc": 2,
    "heads_trained": 3,
    "corel5k": 15,
    "corel5k_stages": 3,
    "heads": 12,
    "field_corel5k": 9,
    "field_stand_in": 11,
    "given_features": 20,
    "growth": 7,
    "mmdsr_readings": 3,
    "multi_lane": 1,
    "multi_lane_voc": 1,
    "prompts_stand_in": 13,
    "sadcl_bce": 5,
    "stand_in": 18,
    "stand_in_heads": 12,
    "static_ablation": 12,
}


def test_every_sweep_is_counted_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(RUNS)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_sweep_expands_to_different_runs_with_heads_that_exist(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    # the values are what is looked at here; their scenario and weights are not on every machine
    sweep = load_sweep(path)
    values = {name: value for name, value in sweep.set.items() if name != "train.weights"}
    sweep = msgspec.structs.replace(sweep, scenarios=["tiny"], seeds=[0], set=values)
    plans = expand(sweep, path=path)
    strategies = [item.new_strategy() for item in plans]
    digests = {item.configuration for item in plans}
    assert len(digests) == len(plans) == RUNS[name]
    for strategy in strategies:
        build_head(strategy.head, width=16, options=strategy.head_options)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_a_sweep_names_scenarios_that_the_suite_ships(name: str) -> None:
    for scenario in load_sweep(FOLDER / f"{name}.yaml").scenarios:
        assert load_scenario(find_scenario(scenario).path).name == scenario
