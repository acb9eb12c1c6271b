"""The numbers behind the figures, worked out from the AP matrices; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.metrics.continual import (
    bwt_per_label,
    forgetting_per_label,
    forgetting_per_session,
    group_maps,
    session_maps,
)
from clbench.metrics.f1 import cf1_harmonic, counts, cp, cr
from clbench.metrics.inputs import defined_mean
from clbench.metrics.rules import Ranking, threshold_on
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.report.figures import style
from clbench.report.table.columns import Column
from clbench.report.table.rows import changed_texts, changed_values, common_recipe, upper_bounds

Array = npt.NDArray[np.float64]
Ranked = tuple[npt.NDArray[np.float32], Ranking]
"""What images were ranked by, [n, K], and which kind of scores that is."""

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
DECIDED = {"CP": cp, "CR": cr, "CF1": cf1_harmonic}
"""Figures over the threshold, which need score files: a record alone holds two thresholds only."""


@dataclass(frozen=True, eq=False)
class Line:
    """One configuration over the sessions: mean and sample standard deviation [S] over the seeds, fractions.

    `reference` marks an upper bound, which has one value and no sessions. `variant` is the look of a strategy that this
    configuration has, see `names`.
    """

    name: str
    strategy: str
    variant: int
    mean: Array
    std: Array
    seeds: int
    reference: bool = False
    head: str = ""


@dataclass(frozen=True)
class Point:
    """One configuration as a point: mean and spread over the seeds in both directions (NaN spread for one seed)."""

    name: str
    strategy: str
    variant: int
    x: float
    x_std: float
    y: float
    y_std: float
    reference: bool = False
    head: str = ""


@dataclass(frozen=True, eq=False)
class Heat:
    """The AP of every label (columns, arrival order) after every session, mean over the seeds, NaN where undefined."""

    name: str
    strategy: str
    ap: Array
    labels: list[str]
    starts: list[int]
    """The first column of each session's labels."""


@dataclass(frozen=True)
class Forgotten:
    """How much a label lost: best earlier AP minus last AP, over the seeds."""

    label: str
    session: int
    mean: float
    std: float


def names(rows: Sequence[Row]) -> list[tuple[str, str, int]]:
    """Return (label in legends, strategy, variant) per row: the strategy alone, and what tells its variants apart.

    The best configuration of a strategy is its variant 0, whatever the order of the rows, so that it looks alike in all
    figures; the others take the strategy's next looks whose colour and marker no row has yet.
    """
    return list(_named(tuple(rows)))


@lru_cache(maxsize=16)  # every figure of a table asks for those of the same rows
def _named(rows: tuple[Row, ...]) -> tuple[tuple[str, str, int], ...]:
    variants = _variants(rows)
    found = []
    common = common_recipe(rows)
    for place, row in enumerate(rows):
        strategy = row.first.strategy
        alike = [other for other in rows if other.first.strategy.name == strategy.name]
        heads = {other.first.strategy.head for other in alike}
        settings = changed_texts(row, common)
        name = strategy.name + (f"/{strategy.head}" if len(heads) > 1 else "")
        same_head = [other for other in alike if other.first.strategy.head == strategy.head]
        plain = [other for other in same_head if not changed_values(other, common)]
        if len(same_head) > 1 and (settings or len(plain) > 1):
            name += f" ({', '.join(settings) or row.first.configuration[:6]})"
        found.append((name, strategy.name, variants[place]))
    return tuple(found)


def _variants(rows: Sequence[Row]) -> dict[int, int]:
    """Return, by place in `rows`, which of its strategy's looks a row has: the best ones choose first."""
    best_first = sorted(range(len(rows)), key=lambda place: -average(rows[place]))
    firsts = {rows[place].first.strategy.name: place for place in reversed(best_first)}
    # a name's own look before looks that are dealt, which give way
    order = sorted(firsts.values(), key=lambda place: style.is_dealt(rows[place].first.strategy.name))
    taken: set[tuple[str, str]] = set()
    found: dict[int, int] = {}
    for place in [*order, *(place for place in best_first if place not in firsts.values())]:
        strategy = rows[place].first.strategy.name
        for variant in range(style.LOOKS):
            look = style.look(strategy, variant=variant)
            if (look.colour, look.marker) not in taken:
                break
        found[place] = variant
        taken.add((look.colour, look.marker))
    return found


def average(row: Row) -> float:
    """Return the mean average mAP of a row, by which rows are ordered; below every other where it has none."""
    stat = row.stat("average_map")
    return -np.inf if stat is None else stat.mean


def map_curves(rows: Sequence[Row], *, test_set: str) -> list[Line]:
    """Return mAP after each session, on the `growing` or the `fixed` test set; upper bounds as references."""
    return _lines(rows, lambda record: session_maps(_matrix(record, test_set)))


def forgetting_curves(rows: Sequence[Row]) -> list[Line]:
    """Return forgetting as if each session had been the last, on the fixed test set; upper bounds forget nothing."""
    bounds = upper_bounds(rows)
    curves = _lines(rows, lambda record: forgetting_per_session(_matrix(record, "fixed"), record.learned))
    return [line for line, row in zip(curves, rows, strict=True) if row not in bounds]


def group_curves(rows: Sequence[Row]) -> dict[str, list[Line]]:
    """Return mAP over the `base` labels and over the `new` ones after each session, on the growing test set.

    Base labels are those of the first session, new ones those of the session that just ended. Bounds have neither.
    """
    bounds = upper_bounds(rows)
    both = _lines(rows, lambda record: np.stack(group_maps(_matrix(record, "growing"), record.learned)[:2]))
    kept = [line for line, row in zip(both, rows, strict=True) if row not in bounds]
    return {
        group: [replace(line, mean=line.mean[place], std=line.std[place]) for line in kept]
        for place, group in enumerate(("base", "new"))
    }


def heat(row: Row, *, name: str = "") -> Heat:
    """Return the AP matrix of a row on the fixed test set; `name` is what legends call the row among others."""
    strategy = row.first.strategy.name
    stack = np.stack([_matrix(record, "fixed") for record in row.records])
    sizes = [len(session.labels) for session in row.first.scenario.sessions]
    starts = [sum(sizes[:session]) for session in range(len(sizes))]
    return Heat(name or strategy, strategy, stack.mean(axis=0), row.first.labels, starts)


def forgotten_labels(row: Row) -> list[Forgotten]:
    """Return every label with a forgetting, the worst first; labels of the last session have none."""
    per_seed = np.stack([forgetting_per_label(_matrix(record, "fixed"), record.learned) for record in row.records])
    mean, std = _spread(per_seed)
    found = [
        Forgotten(label, row.first.learned[place], float(mean[place]), float(std[place]))
        for place, label in enumerate(row.first.labels)
        if not np.isnan(mean[place])
    ]
    return sorted(found, key=lambda item: -item.mean)


def tradeoff(rows: Sequence[Row]) -> list[Point]:
    """Return, per row, how well new labels were learned (x) and how much the old ones changed by the end (y).

    x: mean AP, right after its session, of the labels that came after the first session. y: BWT, the mean over labels
    learned before the last session of last AP minus AP right after learning. Fractions, fixed test set.
    """
    bounds = upper_bounds(rows)
    return [
        point
        for row, point in zip(rows, _points(rows, _learned_later, _kept), strict=True)
        if row not in bounds and not np.isnan(point.x)
    ]


def cost_points(rows: Sequence[Row], *, cost: Column, score: Column) -> list[Point]:
    """Return, per row, what it cost (x, in the unit of the column) and what it scored (y)."""
    return _points(rows, lambda record: _number(cost.read(record)), lambda record: _number(score.read(record)))


def pareto(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other beats: none costs no more and scores better; by rising cost."""
    front: list[Point] = []
    for point in sorted((p for p in points if not p.reference), key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def threshold_curves(
    scores: Mapping[tuple[str, str, int], Sequence[Ranked]], *, truth: npt.NDArray[np.int8]
) -> dict[str, list[Line]]:
    """Return a list of lines for CP, CR and CF1 over `THRESHOLDS`, which are probabilities.

    scores: (name, strategy, variant), as `names` gives them, -> one matrix [n, K] per seed with its kind, after the
    last session; truth int8 [n, K] in {1, 0, -1}, in the same order.
    """
    found: dict[str, list[Line]] = {figure: [] for figure in DECIDED}
    for (name, strategy, variant), seeds in scores.items():
        decided = [
            [counts(matrix, truth, threshold=threshold_on(kind, threshold)) for threshold in THRESHOLDS]
            for matrix, kind in seeds
        ]
        for figure, compute in DECIDED.items():
            values = np.array([[compute(c) for c in row] for row in decided])
            found[figure].append(Line(name, strategy, variant, *_spread(values), len(values)))
    return found


def _learned_later(record: Record) -> float:
    fixed = _matrix(record, "fixed")
    return defined_mean([fixed[since, place] for place, since in enumerate(record.learned) if since > 0])


def _kept(record: Record) -> float:
    return defined_mean(bwt_per_label(_matrix(record, "fixed"), record.learned))


def _points(rows: Sequence[Row], read_x: Callable[[Record], float], read_y: Callable[[Record], float]) -> list[Point]:
    bounds = upper_bounds(rows)
    found = []
    for row, (name, strategy, variant) in zip(rows, names(rows), strict=True):
        mean, std = _over(row, lambda record: np.array([read_x(record), read_y(record)]))
        point = Point(name, strategy, variant, mean[0], std[0], mean[1], std[1], row in bounds, row.first.strategy.head)
        found.append(point)
    return found


def _lines(rows: Sequence[Row], read: Callable[[Record], Array]) -> list[Line]:
    bounds = upper_bounds(rows)
    found = []
    for row, (name, strategy, variant) in zip(rows, names(rows), strict=True):
        mean, std = _over(row, read)
        head = row.first.strategy.head
        found.append(Line(name, strategy, variant, mean, std, len(row.units), reference=row in bounds, head=head))
    return found


def _over(row: Row, read: Callable[[Record], Array]) -> tuple[Array, Array]:
    """Return mean and spread over the seeds, or over class orders after the mean over the seeds of each."""
    every = [[read(record) for record in unit] for unit in row.units]
    return _spread(np.stack([unit[0] if len(unit) == 1 else np.mean(unit, axis=0) for unit in every]))


def _spread(values: Array) -> tuple[Array, Array]:
    """Return mean and sample standard deviation over the first axis; NaN where a seed lacks the value, or is alone."""
    mean = values.mean(axis=0)
    std = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1:], np.nan)
    return mean, std


def _matrix(record: Record, test_set: str) -> Array:
    return _array(_Itself(getattr(record.ap, test_set)))


@dataclass(frozen=True, eq=False)
class _Itself:
    """A value that is the same as itself alone, so that what is made of it can be kept."""

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value


@lru_cache(maxsize=4096)  # a page asks for each matrix six times
def _array(nested: _Itself) -> Array:
    found: Array = np.array(nested.value, dtype=np.float64)
    found.flags.writeable = False
    return found


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
