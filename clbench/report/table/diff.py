"""Which ingredient differs between two records or rows, in the order in which one would look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from clbench.records.json_paths import join
from clbench.records.record import Record
from clbench.records.rows import Row

_ABSENT = "absent"

_GROUPS = (
    (
        "what was asked",
        ("scenario.name", "scenario.version", "scenario.digest", "scenario.dataset", "scenario.stand_in"),
    ),
    ("what was shown", ("scenario.data", "scenario.stream", "scenario.sessions", "labels", "learned")),
    ("the strategy", ("strategy.name", "strategy.head", "strategy.fields", "strategy.sha256", "strategy.origin")),
    ("the recipe", ("train",)),
    ("the seed", ("seed",)),
    ("the code", ("protocol", "clbench", "code.version", "code.commit", "code.dirty")),
    ("the machine", ("environment",)),
    ("the result", ("summary",)),
)


@dataclass(frozen=True)
class Difference:
    """One field with two values; `group` says what kind of ingredient it is."""

    group: str
    field: str
    left: str
    right: str

    def __str__(self) -> str:
        return f"{self.group}: {self.field}: {self.left} | {self.right}"


def diff(a: Record | Row, b: Record | Row) -> list[Difference]:
    """Return where two records differ, ingredients first and results last; rows are compared by what their seeds share.

    A field on which the seeds of one row disagree shows all of its values.
    """
    left, right = _values(a), _values(b)
    found = []
    for group, prefixes in _GROUPS:
        for prefix in prefixes:
            fields = [name for name in dict.fromkeys((*left, *right)) if _below(name, prefix)]
            for name in fields:
                x, y = left.get(name, _ABSENT), right.get(name, _ABSENT)
                if x != y:
                    found.append(Difference(group, name, x, y))
    return found


def explain(differences: list[Difference]) -> str:
    """Return the differences as text, one group after the other, with a word on what they mean."""
    if not differences:
        return "Nothing differs.\n"
    lines = []
    causes = [item for item in differences if item.group != "the result"]
    if not causes:
        lines.append(
            "No recorded ingredient differs, yet the results do: the run is not deterministic, or a record was changed."
        )
    for group in dict.fromkeys(item.group for item in differences):
        lines.append(f"{group[0].upper()}{group[1:]}")
        lines += [f"  {item.field}: {item.left} | {item.right}" for item in differences if item.group == group]
    return "\n".join(lines) + "\n"


def _values(item: Record | Row) -> dict[str, str]:
    records = item.records if isinstance(item, Row) else (item,)
    found: dict[str, list[str]] = {}
    for record in records:
        plain = msgspec.to_builtins(record)
        for section in ("content", "times", "ap", "counts", "scores", "notes", "marks", "costs"):
            plain.pop(section)
        for name, value in _leaves(plain, ""):
            shown = value[:12] if isinstance(value, str) and len(value) in (40, 64) and value.isalnum() else value
            told = shown if isinstance(shown, str) and shown else msgspec.json.encode(shown).decode()
            values = found.setdefault(name, [])
            if told not in values:
                values.append(told)
    return {name: " and ".join(values) for name, values in found.items()}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, join(path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, child in enumerate(value):
            yield from _leaves(child, join(path, index))
    else:
        yield path, value


def _below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith((f"{prefix}.", f"{prefix}["))
