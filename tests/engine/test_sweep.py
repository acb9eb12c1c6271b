"""A sweep file becomes exactly the runs it describes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_scenarios import scenario

from clbench.errors import UsageError
from clbench.many.sweep_file import as_text, expand, load_sweep, unfinished
from clbench.plan.place import scenario_id
from clbench.plan.plan import Plan


def planned(folder: Path, **content: Any) -> list[Plan]:
    scenario(folder)
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({"scenarios": ["miniature.yaml"], **content}))
    return expand(load_sweep(path), path=path)


def told(plans: list[Plan]) -> list[str]:
    return [item.title for item in plans]


def test_every_combination_is_a_run_and_first_seeds_come_first(tmp_path: Path) -> None:
    plans = planned(tmp_path, strategies=["naive", "lwf"], seeds=[3, 4], grid={"train.lr": [0.1, 0.2]})
    assert told(plans) == [
        f"miniature · {name} · train.lr={rate} · seed {seed}"
        for seed in (3, 4)
        for rate in (0.1, 0.2)
        for name in ("naive", "lwf")
    ]
    assert [item.train.lr for item in plans[:3]] == [0.1, 0.1, 0.2]


def test_a_value_of_one_strategy_does_not_repeat_the_others(tmp_path: Path) -> None:
    plans = planned(tmp_path, strategies=["naive", "er"], seeds=[0], grid={"er.memory": [5, 6]})
    assert told(plans) == [
        "miniature · naive · seed 0",
        "miniature · er · er.memory=5 · seed 0",
        "miniature · er · er.memory=6 · seed 0",
    ]
    assert [item.fields.get("memory") for item in plans] == [None, 5, 6]


def test_written_settings_stand_on_top_of_the_common_ones(tmp_path: Path) -> None:
    plans = planned(
        tmp_path,
        strategies=["naive"],
        seeds=[0],
        set={"train.epochs": 1, "head": "linear"},
        settings=[{"head": "queries"}, {"train.epochs": 3}],
    )
    assert [(item.fields["head"], item.train.epochs) for item in plans] == [("queries", 1), ("linear", 3)]


def test_a_strategy_listed_twice_is_told_apart(tmp_path: Path) -> None:
    scenario(tmp_path, strategies=[{"er": {"memory": 5}}, {"er": {"memory": 6}}], seeds=[0])
    path = tmp_path / "sweep.yaml"
    path.write_text("scenarios: [miniature.yaml]")
    assert told(expand(load_sweep(path), path=path)) == [
        "miniature · er · memory=5 · seed 0",
        "miniature · er · memory=6 · seed 0",
    ]


def test_scenarios_are_looked_for_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (item,) = planned(tmp_path, strategies=["naive"], seeds=[0])
    assert item.scenario_path == (tmp_path / "miniature.yaml").resolve()


def test_texts_are_what_the_command_line_would_have_been_given() -> None:
    texts = [
        as_text("a", value) for value in (1, 1e-4, True, "queries", "off", "1", None, [0.5, 0.75], {"d": 32}, "x: y")
    ]
    assert texts == [
        "a=1", "a=0.0001", "a=true", "a=queries", 'a="off"', 'a="1"', "a=null", "a=[0.5,0.75]", 'a={"d":32}', 'a="x: y"'
    ]  # fmt: skip
    for text, value in zip(texts[3:6], ("queries", "off", "1"), strict=True):
        assert yaml.safe_load(text.partition("=")[2]) == value


def test_what_is_finished_is_left_out(tmp_path: Path) -> None:
    plans = planned(tmp_path, strategies=["naive", "lwf"], seeds=[0])
    results = tmp_path / "results"
    assert unfinished(plans, results) == plans
    place = results / scenario_id("miniature", version=1) / "naive"
    (place / plans[0].configuration[:8]).mkdir(parents=True)
    next(place.iterdir()).joinpath("seed0.json").write_text("{}")
    assert unfinished(plans, results) == plans[1:]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"stratgies": ["er"]}, "Did you mean 'strategies'"),
        ({"strategies": ["eer"]}, "no strategy 'eer'"),
        ({"scenarios": ["minature"]}, "no scenario 'minature'"),
        ({"set": {"train.epoch": 1}}, "train.epoch=1: the recipe has no field 'epoch'. Did you mean 'epochs'"),
        ({"grid": {"train.lr": []}}, "grid.train.lr is empty"),
        ({"grid": {"train.lr": [1.0]}, "set": {"train.lr": 1.0}}, "stands under `set` and under `grid`"),
        ({"seeds": [-1]}, "seeds"),
        ({"data": {"coco2014": "/nowhere"}}, "no scenario of this file reads it"),
        ({"scenarios": []}, "scenarios"),
    ],
)
def test_what_cannot_be_meant_is_said(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        planned(tmp_path, **{"strategies": ["naive"], "seeds": [0], **content})
    assert said in str(error.value)


def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    with pytest.raises(UsageError, match="cannot be read"):
        load_sweep(path)
    path.write_text("- a\n- b\n")
    with pytest.raises(UsageError, match="mapping of names"):
        load_sweep(path)


def test_labels_move_no_digest(tmp_path: Path) -> None:
    (item,) = planned(tmp_path, strategies=["naive"], seeds=[0])

    bare = dataclasses.replace(item, label="")
    assert item.configuration == bare.configuration
    assert bare.title == "naive · seed 0"
