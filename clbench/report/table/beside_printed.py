"""The printed number of a row whose method, protocol and memory a paper has too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from clbench.records.rows import Row
from clbench.report.table.published import Printed

_OTHER_NAMES = {"ft": "naive", "der++": "derpp", "oewc": "ewc"}
"""Methods that papers print under a name unlike that of the strategy; `ewc` is the online form."""
_OTHER_PROTOCOL = {"stand-in", "unpinned", "trial", "leak", "unverified"}
"""Marks of rows that saw other data than the printed ones, or more of them."""


def strategy_of(method: str) -> str:
    """Return the name that the strategy of a printed method would have, whether or not there is one.

    >>> strategy_of("DER++"), strategy_of("KRT-R"), strategy_of("MULTI-LANE")
    ('derpp', 'krt', 'multilane')
    """
    name = method.lower().removesuffix("-r")
    return _OTHER_NAMES.get(name, re.sub(r"[^a-z0-9+]", "", name))


def beside(row: Row, printed: Iterable[Printed]) -> dict[str, str]:
    """Return the printed `average_map` and `last_map` that belong beside a row, in per cent as printed.

    The method is the same, the buffer is as large and counted alike, and the row ran on the pinned data of the
    protocol. Backbone and recipe are not compared. Where sources disagree it is the highest number.
    """
    if _OTHER_PROTOCOL & set(row.marks):
        return {}
    found = [one for one in printed if strategy_of(one.method) == row.first.strategy.name and _same_buffer(row, one)]
    highest: dict[str, str] = {}
    for name in ("average_map", "last_map"):
        numbers = [number for one in found if (number := getattr(one, name))]
        if numbers:
            highest[name] = max(numbers, key=float)
    return highest


def told_threshold(printed: Sequence[Printed]) -> str:
    """Return the decision rule behind all printed F1 of macro form, empty where there is none or several."""
    kinds = {one.f1_kind for one in printed} - {""}
    rules = {kind.removeprefix("macro-F1 @") for kind in kinds if kind.startswith("macro-F1 @")}
    return rules.pop() if len(rules) == len(kinds) == 1 else ""


def _same_buffer(row: Row, printed: Printed) -> bool:
    fields = row.first.strategy.fields
    stored = max(cost.stored_images for record in row.records for cost in record.costs)
    size, _, kind = printed.buffer.partition(" ")
    if not size.isdigit():
        return stored == 0
    memory, per_label = fields.get("memory"), fields.get("per_class") is True
    if kind == "in all":
        return memory == int(size) and not per_label
    return stored > 0 and memory == int(size) * (1 if per_label else len(row.first.labels))
