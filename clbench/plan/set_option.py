"""What `--set NAME=VALUE` may say, and how the text after `=` becomes a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec

from clbench.errors import UsageError, suggest
from clbench.files.field_words import NO_DEFAULT, in_words, may_be
from clbench.files.yaml_text import field_names, read_yaml
from clbench.plan import catalog
from clbench.spec.scenario import ScenarioSpec, TrainSpec

if TYPE_CHECKING:
    from clbench.method.strategy import Strategy

COMMAND_LINE = "--set"
LONGEST = 2000
"""Characters of one setting; messages repeat it."""
OTHER_OPTIONS = {"seeds": "--seed", "seed": "--seed", "strategies": "--strategy", "strategy": "--strategy"}


@dataclass(frozen=True)
class Chosen:
    """A strategy that will run, with the values its scenario gives it and where each was written."""

    entry: catalog.Entry
    kind: type[Strategy]
    fields: dict[str, tuple[Any, str]]

    @property
    def types(self) -> dict[str, Any]:
        """The strategy's fields: name -> type."""
        return self.kind.fields_of()


@dataclass(frozen=True)
class Settings:
    """Parsed `--set` texts: recipe fields, and (strategy or "" for all, dotted field), each -> (value, text)."""

    train: dict[str, tuple[Any, str]]
    strategy: dict[tuple[str, str], tuple[Any, str]]


def parse_settings(sets: Sequence[str], chosen: Sequence[Chosen]) -> Settings:
    """Return what the texts `NAME=VALUE` set, each value typed by its field. Raises UsageError."""
    found = Settings({}, {})
    recipe = TrainSpec()
    types = {field.name: field.type for field in msgspec.structs.fields(TrainSpec)}
    for text in sets:
        if len(text) > LONGEST:
            raise UsageError(f"--set {text[:60]}...: {len(text):,} characters; a setting here has at most {LONGEST:,}.")
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise UsageError(f"--set {text}: expected NAME=VALUE.", hint="For example --set train.epochs=1.")
        first, _, rest = name.partition(".")
        if first == "train" and rest:
            if rest not in types:
                raise UsageError(f"--set {text}: the recipe has no field '{rest}'.{suggest(rest, types)}")
            found.train[rest] = (_typed(value, types[rest], text, default=getattr(recipe, rest)), text)
        elif rest and first in {strategy.entry.name for strategy in chosen}:
            owners = [strategy for strategy in chosen if strategy.entry.name == first]
            found.strategy[first, rest] = (_for_all(rest, value, text, owners), text)
        else:
            _refuse_identity(first, text, chosen)
            found.strategy["", name] = (_for_all(name, value, text, chosen), text)
    return found


def _for_all(path: str, value: str, text: str, strategies: Sequence[Chosen]) -> Any:
    """Return the value of a strategy field, typed by it; every one of `strategies` must have the field."""
    field, _, inside = path.partition(".")
    for strategy in strategies:
        if field not in strategy.types:
            raise UsageError(
                f"--set {text}: {strategy.entry.name} has no field '{field}'.{_near(field, strategies)}",
                hint=f"Fields of {strategy.entry.name}: {', '.join(strategy.types)}. "
                "For one strategy alone write --set STRATEGY.FIELD=VALUE.",
            )
        if inside and not _is_mapping(strategy.types[field]):
            raise UsageError(f"--set {text}: {strategy.entry.name}.{field} has no parts.")
    if inside:
        return _typed(value, Any, text, default=NO_DEFAULT)
    first = strategies[0]
    return _typed(value, first.types[field], text, default=first.kind.defaults().get(field, NO_DEFAULT))


def _near(field: str, strategies: Sequence[Chosen]) -> str:
    known = {name: name for strategy in strategies for name in strategy.types}
    known |= {name: f"train.{name}" for name in field_names(TrainSpec)}
    known |= {strategy.entry.name: f"{strategy.entry.name}.…" for strategy in strategies}
    owners = [strategy.entry.name for strategy in strategies if field in strategy.types]
    if owners:
        return f" Did you mean '{owners[0]}.{field}'?"
    near = get_close_matches(field, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{known[near[0]]}'?" if near else ""


def _refuse_identity(name: str, text: str, chosen: Sequence[Chosen]) -> None:
    if any(name in strategy.types for strategy in chosen):
        return
    if name == "train":
        raise UsageError(
            f"--set {text}: train is the whole recipe, of which each value is set by its name.",
            hint=f"For example --set train.epochs=1. Its values: {', '.join(field_names(TrainSpec))}.",
        )
    if name in OTHER_OPTIONS:
        raise UsageError(f"--set {text}: this has an option of its own: {OTHER_OPTIONS[name]}.")
    if name in field_names(ScenarioSpec):
        raise UsageError(
            f"--set {text}: {name} is part of what the scenario is; with another value it would not be that scenario.",
            hint="Copy the scenario's file to scenarios/ in your folder, give it a name of its own and change that.",
        )


def _is_mapping(kind: Any) -> bool:
    return kind is Any or kind is dict or getattr(kind, "__origin__", None) is dict


def _typed(value: str, kind: Any, text: str, *, default: Any) -> Any:
    """Return the text after `=` as a field's type: read as YAML, else taken as it stands (`off` is a word here)."""
    problem: Exception | None = None
    for candidate in (_yaml(value), value):
        try:
            return msgspec.convert(candidate, kind, strict=False)
        except msgspec.ValidationError as error:
            problem = problem or error
    raise UsageError(f"--set {text}: {in_words(str(problem))}.", hint=may_be(kind, default))


def _yaml(value: str) -> Any:
    try:
        return read_yaml(value, source="--set")
    except UsageError:
        return value
