"""Hyper-parameters: annotated, typed, refused with a suggestion."""

from __future__ import annotations

from typing import Literal

import pytest

from clbench.errors import UsageError
from clbench.method.strategy import Strategy


class Knobs(Strategy):
    """Has some fields."""

    weight: float = 1.0
    mode: Literal["soft", "hard"] = "soft"
    memory: int = 20


def test_fields_are_keyword_only_with_defaults() -> None:
    knobs = Knobs(memory=5)
    assert (knobs.weight, knobs.mode, knobs.memory, knobs.head) == (1.0, "soft", 5, "linear")
    assert knobs.values() == {"head": "linear", "head_options": {}, "weight": 1.0, "mode": "soft", "memory": 5}
    assert knobs.changed() == {"memory": 5}


def test_text_from_the_command_line_becomes_the_fields_type() -> None:
    knobs = Knobs.configured({"weight": "2", "memory": "7", "mode": "hard"}, source="--set")
    assert (knobs.weight, knobs.memory, knobs.mode) == (2.0, 7, "hard") and type(knobs.weight) is float


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"weigth": 1}, "Did you mean 'weight'"),
        ({"memory": "many"}, "Knobs.memory = 'many'"),
        ({"mode": "soft-ish"}, "Knobs.mode"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Knobs.configured(fields, source="scenario")


def test_two_instances_do_not_share_mutable_defaults() -> None:
    first, second = Knobs(), Knobs()
    first.head_options["d"] = 8
    assert second.head_options == {}


@pytest.mark.parametrize("name", ["recall", "loss", "train"])
def test_a_field_cannot_take_the_name_of_a_verb(name: str) -> None:
    with pytest.raises(UsageError, match=f"Mine.{name}: a field has the name of what every strategy does"):
        type("Mine", (Strategy,), {"__annotations__": {name: "bool"}, name: True})
