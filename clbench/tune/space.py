"""What a search may vary: lists of choices and ranges of numbers, checked against the fields they are meant for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from clbench.errors import UsageError
from clbench.many.sweep_file import as_text
from clbench.plan.plan import Plan

Value = Any  # of a recipe's or a strategy's field
Number = int | float
DIGITS = 4
"""Significant digits of suggested fractions: more say nothing, and these can be typed."""


class Range(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Numbers from `low` to `high`, both included; whole ones where the field takes whole ones."""

    low: Number
    high: Number
    log: bool = False
    """Whether every order of magnitude is as likely as another."""
    step: Number | None = None
    """Only low, low + step, low + 2 step, …"""


Space = dict[str, list[Value] | Range]


@dataclass(frozen=True)
class Dimension:
    """One searched value: its name as for `--set`, and its choices or its range."""

    name: str
    domain: tuple[Value, ...] | Range
    whole: bool = False
    """Whether a range holds whole numbers only."""

    @property
    def text(self) -> str:
        """The dimension as people read it."""
        if not isinstance(self.domain, Range):
            return f"{self.name}: {', '.join(text(self.name, choice).partition('=')[2] for choice in self.domain)}"
        scale = ", log" if self.domain.log else f", step {self.domain.step:g}" if self.domain.step is not None else ""
        return f"{self.name}: {self.domain.low:g} to {self.domain.high:g}{scale}"

    def tidy(self, value: Value) -> Value:
        """Return a suggested number as it is used: on the grid of its steps, else rounded to `DIGITS` digits."""
        if not isinstance(self.domain, Range) or self.whole:
            return value
        if self.domain.step is not None:
            # in decimals, as the file has them: 0.1 + 2 x 0.1 is 0.3
            low, step = Decimal(str(self.domain.low)), Decimal(str(self.domain.step))
            return float(low + step * round((Decimal(str(value)) - low) / step))
        rounded = float(f"{value:.{DIGITS}g}")
        return min(max(rounded, float(self.domain.low)), float(self.domain.high))


def text(name: str, value: Value) -> str:
    """Return `NAME=VALUE` as `--set` takes it."""
    if isinstance(value, float):
        return f"{name}={np.format_float_positional(value, trim='0')}"  # YAML takes 4e-05 for a word
    return as_text(name, value)


def dimensions(
    space: Mapping[str, list[Value] | Range], *, make: Callable[[str], Plan], source: str
) -> list[Dimension]:
    """Return the dimensions of `space` by name, every choice and every end of a range tried on its field.

    `make` plans a run with one more `--set` text; `source` names the file in messages. Raises UsageError.
    """
    return [_dimension(name, space[name], make=make, source=f"{source}: space.{name}") for name in sorted(space)]


def plain(dims: list[Dimension]) -> dict[str, Value]:
    """Return the dimensions as the record's `tuning.space` has them."""
    return {dim.name: msgspec.to_builtins(dim.domain) for dim in dims}


def _dimension(name: str, given: list[Value] | Range, *, make: Callable[[str], Plan], source: str) -> Dimension:
    if isinstance(given, Range):
        _check_range(given, source=source)
        ends = [_resolved(make(text(name, end)), name) for end in (given.low, given.high)]
        if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
            raise UsageError(
                f"{source}: {name} is no number, so it has no range.", hint=f"List its choices: {name}: […]"
            )
        whole = all(isinstance(end, int) for end in ends)
        if given.log and given.step is not None:
            raise UsageError(f"{source}: `log` and `step` exclude each other; keep one of them.")
        if whole and isinstance(given.step, float) and given.step != int(given.step):
            raise UsageError(f"{source}: step: {given.step:g}, expected a whole number, as {name} is one.")
        return Dimension(name, given, whole)
    if not given:
        raise UsageError(f"{source} is empty, expected at least one choice.")
    for position, choice in enumerate(given):
        if choice in given[:position]:
            raise UsageError(f"{source}: {choice!r} is listed twice.")
        make(text(name, choice))
    return Dimension(name, tuple(given))


def _check_range(given: Range, *, source: str) -> None:
    if not (math.isfinite(given.low) and math.isfinite(given.high) and given.low < given.high):
        raise UsageError(
            f"{source}: low {given.low:g} and high {given.high:g}, expected finite numbers, low below high."
        )
    if given.log and given.low <= 0:
        raise UsageError(f"{source}: low: {given.low:g}, expected a number above 0 with `log: true`.")
    if given.step is not None:
        steps = (given.high - given.low) / given.step if given.step > 0 else 0.5
        if abs(steps - round(steps)) > 1e-9:
            raise UsageError(
                f"{source}: step: {given.step:g} does not lead from {given.low:g} to {given.high:g} in whole steps."
            )


def _resolved(plan: Plan, name: str) -> Value:
    """Return what a field became after it was set."""
    first, _, rest = name.partition(".")
    if first == "train":
        return getattr(plan.train, rest)
    value: Value = plan.fields
    for part in (rest if first == plan.entry.name and rest else name).split("."):
        value = value[part]
    return value
