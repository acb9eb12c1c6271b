"""A wrong choice is told the right ones, wherever a value is one of a few."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest
from tiny_scenarios import scenario

from clbench.data.datasets.dataset import resolve_options
from clbench.data.datasets.registry import DATASETS
from clbench.errors import UsageError
from clbench.files.field_words import choices, field_at, may_be, shown
from clbench.files.yaml_text import convert
from clbench.nn.heads.by_name import HEADS, build_head, head_options
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.plan.plans import plan
from clbench.spec.scenario import LabelsSpec, ScenarioSpec, TrainSpec, parse_scenario
from clbench.tune.search_file import SearchSpec

TRAIN = [f.name for f in msgspec.structs.fields(TrainSpec) if choices(f.type)]
SCENARIO = [f.name for f in msgspec.structs.fields(ScenarioSpec) if choices(f.type)]
STRATEGY = [
    (entry.name, name)
    for entry in catalog.strategies()
    if entry.origin == "shipped"
    for name, kind in load_strategy(entry).fields_of().items()
    if choices(kind)
]
HEAD = [
    (head, option)
    for head in HEADS
    for option in head_options(head)
    if choices(get_type_hints(HEADS[head].__init__)[option])
]
DATA = [(known.name, option) for known in DATASETS.values() for option in known.options if option.kind == "choice"]


def refused(*arguments: str, **named: object) -> str:
    with pytest.raises(UsageError) as caught:
        plan("tiny", *arguments, **named)  # type: ignore[arg-type]
    return str(caught.value)


def test_help_as_a_value_of_the_recipe_lists_the_choices():
    assert refused(sets=["train.augment=help"]) == (
        "--set train.augment=help: There is no choice 'help'.\n"
        "  It can be: none, flip, crop, rrc, krt. The default is krt."
    )
    assert refused(sets=["train.lr=help"]).endswith("Expected a number, at least 0. The default is 0.0001.")
    assert "It can be: true, false. The default is true." in refused(sets=["train.normalize=help"])


@pytest.mark.parametrize("name", TRAIN)
def test_every_choice_of_the_recipe_is_told(name: str):
    kind, default = field_at(TrainSpec, name) or (None, None)
    told = refused(sets=[f"train.{name}=help"])
    assert told.endswith(f"It can be: {', '.join(choices(kind))}. The default is {shown(default)}.")


@pytest.mark.parametrize("name", [*SCENARIO, "stand_in.train.augment", "train.optimizer"])
def test_every_choice_of_a_scenario_file_is_told(name: str):
    text = "name: a\nversion: 1\ntitle: A\ndataset: d\n"
    path, last = name.split(".")[:-1], name.split(".")[-1]
    text += "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(path))
    text += f"{'  ' * len(path)}{last}: help\n"
    with pytest.raises(UsageError) as caught:
        parse_scenario(text, source="a.yaml")
    struct = ScenarioSpec if name in SCENARIO else TrainSpec
    assert str(caught.value).endswith(may_be(*field_at(struct, last)))  # type: ignore[misc]
    assert all(part in str(caught.value) for part in ("a.yaml", *name.split(".")))


@pytest.mark.parametrize(("strategy", "name"), STRATEGY)
def test_every_choice_of_a_strategy_is_told(strategy: str, name: str):
    kind = load_strategy(catalog.find_strategy(strategy))
    right = may_be(kind.fields_of()[name], kind.defaults()[name])
    assert right.startswith("It can be: ")
    assert refused(strategies=[strategy], sets=[f"{strategy}.{name}=help"]).endswith(right)
    with pytest.raises(UsageError) as caught:
        kind.configured({name: "help"}, source="a.yaml")
    assert str(caught.value).endswith(right)


@pytest.mark.parametrize(("head", "option"), HEAD)
def test_every_choice_of_a_head_is_told(head: str, option: str):
    few = choices(get_type_hints(HEADS[head].__init__)[option])
    with pytest.raises(UsageError) as caught:
        build_head(head, width=8, options={option: "help"})
    assert f"It can be: {', '.join(few)}. The default is {shown(head_options(head)[option])}." in str(caught.value)
    for value in few:
        default = head_options(head)[option]
        build_head(head, width=8, options={option: value == "true" if isinstance(default, bool) else value})


def test_every_head_is_told():
    told = refused(strategies=["dlfl"], sets=["head=help"])
    assert told.endswith(f"Use one of: {', '.join(sorted(HEADS))}. The default of dlfl is queries.")


@pytest.mark.parametrize(("name", "option"), DATA)
def test_every_choice_of_a_data_set_is_told(name: str, option):
    with pytest.raises(UsageError) as caught:
        resolve_options(name, [option], {option.name: "help"})
    assert str(caught.value).endswith(f"It can be: {', '.join(option.allowed)}. The default is {option.default}.")


def test_fields_below_lists_and_parts_are_found():
    assert field_at(ScenarioSpec, "labels.base") == field_at(LabelsSpec, "base")
    assert field_at(ScenarioSpec, "stand_in.options.train") is None
    with pytest.raises(UsageError, match=r"labels.base`.\n  Expected a whole number, at least 0. The default is 0."):
        convert({"name": "a", "version": 1, "title": "A", "dataset": "d", "labels": {"base": "x"}}, ScenarioSpec,
                source=str(Path("a.yaml")))  # fmt: skip


def test_a_value_of_a_mapping_is_named_by_its_key_with_what_it_may_be():
    def told(**values: object) -> str:
        with pytest.raises(UsageError) as caught:
            convert({"scenario": "tiny", "trials": 1, "space": values}, SearchSpec, source="mine.yaml")
        return str(caught.value)

    good = {"er.memory": [5], "train.momentum": {"low": 0, "high": 0.9}}
    assert told(**good, **{"train.lr": 0.1}) == (
        "mine.yaml: Expected `object | array`, got `float` - at `space.train.lr`.\n"
        "  Expected a list: a value or a mapping of low, high, log, step."
    )
    assert told(**good, **{"train.lr": {"min": 0.1, "high": 1}}) == (
        "mine.yaml: Object contains unknown field `min` - at `space.train.lr`.\n  Known here: low, high, log, step."
    )
    assert "`hihg` - at `space.train.lr`.\n  Did you mean 'high'?" in told(
        **good, **{"train.lr": {"low": 1, "hihg": 2}}
    )
    assert "got `str` - at `space.train.lr.low`" in told(**good, **{"train.lr": {"low": "x", "high": 1}})


def test_a_field_that_only_another_strategy_has_is_named_with_it():
    told = refused(strategies=["naive", "er"], sets=["memory=5"])
    assert told.startswith("--set memory=5: naive has no field 'memory'. Did you mean 'er.memory'?")


def test_a_field_that_is_missing_is_told_with_what_it_may_be():
    for given, said in (
        ({"name": "mine"}, "missing required field `version`.\n  Write `version:` and a whole number, at least 1."),
        ({"name": "mine", "version": 1}, "missing required field `title`.\n  Write `title:` and text, not empty."),
    ):
        with pytest.raises(UsageError) as caught:
            convert(given, ScenarioSpec, source="mine.yaml")
        assert said in str(caught.value)


def test_a_scenario_without_strategies_asks_for_one(tmp_path: Path):
    file = scenario(tmp_path, strategies=[])
    with pytest.raises(UsageError, match="strategies: the list is empty"):
        plan(file)
    assert [item.entry.name for item in plan(file, strategies=["naive"])] == ["naive"]
