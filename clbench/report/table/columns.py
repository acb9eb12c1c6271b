"""The numbers of a leaderboard: what each column is called, where it comes from and how it is printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import UNSET

from clbench.errors import UsageError, suggest
from clbench.metrics.names import NAMES
from clbench.metrics.thresholds import EACH, ONE
from clbench.records.record import Record

Unit = Literal["percent", "points", "labels", "count", "bytes", "parameters", "seconds", "passes"]

RULES = {
    "0.5": "probability > 0.5",
    "0.8": "probability > 0.8",
    "top3": "three highest scores",
    EACH: "probability > the threshold that is best for the label's F1 on validation images",
    ONE: "probability > the one threshold that is best for OF1 on validation images",
}
"""Decision rules behind CF1, macro-F1 and OF1, by the name that records give them; the last two where the scenario
holds out validation images."""


SMALL = 10
"""A stream that begins with fewer labels is ranked by last mAP: its average begins with test sets of so few labels, on
which a method that forgets them later still shines."""

Measured = Mapping[str, Mapping[str, float]]
"""Column -> content digest of a record -> a number that is not in the record but follows from its score files."""


@dataclass(frozen=True)
class Column:
    """One number per row: read from a record, averaged over the seeds."""

    key: str
    title: str
    unit: Unit
    read: Callable[[Record], float | None]
    higher_is_better: bool = True
    competes: bool = True
    """Whether the best value is set in bold."""
    decided: bool = False
    """Whether the number depends on the decision rule."""
    spread: bool = True
    """Whether the standard deviation over the seeds is shown."""

    def text(self, mean: float | None, std: float | None = None, *, digits: int = 1) -> str:
        """Return a mean and its spread as printed: percent and points scaled by 100, an en dash for nothing."""
        if mean is None or math.isnan(mean):
            return "–"
        if self.unit in ("percent", "points"):
            shown = f"{100 * mean:.{digits}f}"
            shown = shown.removeprefix("-") if float(shown) == 0 else shown
            return shown if std is None else f"{shown} ± {100 * std:.{digits}f}"
        if self.unit == "labels":
            return f"{mean:.{digits}f}" + ("" if std is None else f" ± {std:.{digits}f}")
        return {"count": _count, "bytes": _bytes, "parameters": _parameters, "seconds": _seconds, "passes": _passes}[
            self.unit
        ](mean)


def columns(threshold: str, *, measured: Iterable[str] = ()) -> dict[str, Column]:
    """Return the columns by key, F1 figures at the decision rule `threshold`. Raises UsageError for an unknown one.

    With `measured` there are those of `MEASURED` besides, which `read` nothing: their numbers come from score files.
    """
    if threshold not in RULES:
        raise UsageError(
            f"threshold: {threshold!r} is not a decision rule of records.{suggest(threshold, RULES)}",
            hint=f"Choose one of {', '.join(RULES)}.",
        )
    decided = [replace(column, read=_summary(f"{column.key}@{threshold}")) for column in _F1]
    asked = [MEASURED[key] for key in measured]
    luck = [column for column in asked if column is ERROR]
    rest = [column for column in asked if column is not ERROR]
    return {column.key: column for column in (*_MAP, *luck, *decided, *_CONTINUAL, *rest, *_COSTS, *_TRIALS)}


def column(key: str, *, threshold: str, measured: Iterable[str] = ()) -> Column:
    """Return one column. Raises UsageError naming the nearest key."""
    known = columns(threshold, measured=measured)
    if key not in known:
        raise UsageError(f"--sort {key}: no such column.{suggest(key, known)}", hint=f"Columns: {', '.join(known)}.")
    return known[key]


def _summary(name: str) -> Callable[[Record], float | None]:
    return lambda record: record.summary.get(name)


def _train_seconds(record: Record) -> float:
    return math.fsum(part.train_seconds for part in record.times.sessions)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    return "0" if value == 0 else _scaled(value, [(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B")])


def _parameters(value: float) -> str:
    return "0" if value == 0 else _scaled(value, [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")])


def _seconds(value: float) -> str:
    return _scaled(value, [(86_400, "d"), (3600, "h"), (60, "min"), (1e-9, "s")])


def _passes(value: float) -> str:
    return f"{value:.3g}"


def _most(name: str) -> Callable[[Record], float | None]:
    """Return a reader of the largest of a cost that older records do not have."""
    return lambda record: max((found for c in record.costs if (found := getattr(c, name)) is not UNSET), default=None)


def _scaled(value: float, units: list[tuple[float, str]]) -> str:
    size, name = next((unit for unit in units if value >= unit[0]), units[-1])
    number = value / size if size >= 1 else value
    return (f"{number:.1f}" if number < 100 and (size > 1 or number < 10) else f"{number:.0f}") + (
        f" {name}" if name else ""
    )


_MAP = (
    Column("average_map", "Avg. mAP", "percent", _summary("average_map")),
    Column("last_map", "Last mAP", "percent", _summary("last_map")),
)
_F1 = (
    Column("cf1_harmonic", "CF1", "percent", _summary(""), decided=True),
    Column("macro_f1", "macro-F1", "percent", _summary(""), decided=True),
    Column("of1", "OF1", "percent", _summary(""), decided=True),
)
_CONTINUAL = (
    Column("forgetting", "Forgetting", "points", _summary("forgetting"), higher_is_better=False),
    Column("bwt", "BWT", "points", _summary("bwt")),
    # filled in by the table, which knows the joint row
    Column("gap", "Gap to joint", "points", lambda record: None),
)
_FRACTIONS = (
    "auroc", "ranking_loss", "one_error", "hamming_loss", "mean_accuracy", "precision_at_1", "precision_at_3",
    "precision_at_5",
)  # fmt: skip
_AGAINST = ("forward_transfer", "forgetting_over_joint", "forgetting_over_single")


def _nothing(record: Record) -> None:
    """Read nothing: the number is handed in."""


ERROR = Column("error_images", "± images", "points", _nothing, False, False, spread=False)
"""Standard error of last mAP from the size of the test set."""

MEASURED = {
    column.key: column
    for column in (
        ERROR,
        *(Column(key, NAMES[key].title, "percent", _nothing, NAMES[key].higher_is_better) for key in _FRACTIONS),
        Column("coverage", "Coverage", "labels", _nothing, higher_is_better=False),
        *(Column(key, NAMES[key].title, "points", _nothing, NAMES[key].higher_is_better) for key in _AGAINST),
    )
}
"""Columns whose numbers are not in a record: from score files, or from beside another row."""

_TRIALS = (Column("trials", "Trials", "count", lambda r: r.tuning.trials if r.tuning else None, False, False),)
"""Configurations that a search tried before it chose this one; of rows that no search chose, nothing is known."""
_COSTS = (
    Column("stored_images", "Stored", "count", lambda record: max(c.stored_images for c in record.costs), False, False),
    Column("stored_bytes", "Memory", "bytes", lambda record: max(c.stored_bytes for c in record.costs), False, False),
    Column("state_bytes", "State", "bytes", _most("state_bytes"), False, False),
    Column("score_cost", "Passes", "passes", _most("score_cost"), False, False),
    Column("parameters", "Params", "parameters", lambda record: record.costs[-1].parameters, False, False),
    Column("train_seconds", "Train time", "seconds", _train_seconds, False, False),
)
