"""A number is what it looks like, wherever a value is typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clbench.data.datasets.dataset import Option, resolve_options
from clbench.errors import UsageError
from clbench.files.yaml_text import read_yaml, yaml_text
from clbench.plan.plans import plan
from clbench.spec.scenario import parse_scenario

LOOKS = {
    "010": 10, "0": 0, "-08": -8, "+7": 7, "1_000": 1000, "1e-2": 0.01, "1E3": 1000.0, "1e-07": 1e-7, "3.0e-3": 0.003,
    "5.": 5.0, "-.5": -0.5, "007.50": 7.5, ".inf": float("inf"), "1:30": "1:30", "190:20:30.15": "190:20:30.15",
    "0x10": "0x10", "0b11": "0b11", "1__0": "1__0", "1_": "1_", "1.2.3": "1.2.3",
    "1,5": "1,5", "true": True,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), LOOKS.items())
def test_a_number_in_yaml_is_what_it_looks_like(text: str, value: Any) -> None:
    found = read_yaml(f"a: {text}", source="x")["a"]
    assert found == value and type(found) is type(value)


def test_a_number_after_set_is_what_it_looks_like() -> None:
    def train(text: str) -> Any:
        return plan("coco_b40c10", strategies=["naive"], sets=[text])[0].train

    assert train("train.epochs=010").epochs == 10
    assert train("train.batch_size=1_000").batch_size == 1000
    assert train("train.lr=1e-2").lr == 0.01
    with pytest.raises(UsageError, match="1:30"):
        train("train.epochs=1:30")


def test_a_number_of_a_heads_options_is_what_it_looks_like() -> None:
    [found, *_] = plan("coco_b40c10", strategies=["naive"], sets=["head=csra", "head_options.lam=1e-2"])
    assert found.fields["head_options"] == {"lam": 0.01}


def test_a_number_of_a_scenario_is_what_it_looks_like() -> None:
    text = (Path(__file__).parent.parent / "scenarios" / "coco_b40c10.yaml").read_text()
    spec = parse_scenario(text.replace("increment: 10", "increment: 010", 1), source="x")
    assert spec.labels.increment == 10


def test_a_number_of_a_readers_option_is_what_it_looks_like() -> None:
    option = Option("least", "0", "", kind="count")
    assert resolve_options("x", [option], {"least": "010"}) == {"least": "10"}
    assert resolve_options("x", [option], {"least": "1_000"}) == {"least": "1000"}
    for odd in ("1:30", "1e2", "-1", "1_", "0x10"):
        with pytest.raises(UsageError, match="expected a whole number from 0"):
            resolve_options("x", [option], {"least": odd})


def test_a_number_among_a_scenarios_options_is_a_number() -> None:
    text = (Path(__file__).parent.parent / "scenarios" / "coco_b40c10.yaml").read_text()
    line = "options: {crowd: membership}"
    spec = parse_scenario(
        text.replace(line, "options: {missing: 0.01, seed: 010, least: 1e-2, val: train}"), source="x"
    )
    assert spec.options == {"missing": "0.01", "seed": "10", "least": "0.01", "val": "train"}
    with pytest.raises(UsageError, match="got `bool`"):
        parse_scenario(text.replace(line, "options: {val: no}"), source="x")


def test_a_value_that_is_given_twice_is_not_chosen_from() -> None:
    with pytest.raises(UsageError, match=r"line 3: .*'lr' stands here twice"):
        read_yaml("train:\n  lr: 0.1\n  lr: 0.2\n", source="x")
    assert read_yaml("a: {lr: 1}\nb: {lr: 2}\n", source="x") == {"a": {"lr": 1}, "b": {"lr": 2}}


@pytest.mark.parametrize(
    "value",
    ["1e3", "0E0", "010", ".5", "1_000", "true", "a: b", "12:30", "1.0", "-.inf", "=", "2020-01-01", "", "é",
     True, 1e-05, 3, None],
)  # fmt: skip
def test_what_is_written_is_read_as_it_was(value: object) -> None:
    again = read_yaml(yaml_text({"value": value}), source="again")["value"]
    assert again == value and type(again) is type(value)
