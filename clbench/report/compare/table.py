"""The rows of one table beside a baseline: differences, intervals, verdicts, and who may be first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from clbench.errors import UsageError, suggest
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.records.verify.findings import LEVELS
from clbench.report.compare.paired import Difference, first_place, paired_difference
from clbench.report.compare.resampled import Resampler
from clbench.report.figures.curves import names
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import grid_lines
from clbench.report.table.labels import method_names
from clbench.report.table.rows import upper_bounds

TITLES = ("Method", "Seeds", "mAP", "± images", "Difference", "95 % interval", "First", "Verdict")


@dataclass(frozen=True)
class ComparedRow:
    """One configuration beside the baseline; fractions."""

    name: str
    seeds: int
    mean: float
    error_images: float | None
    """Standard error of the mean from the size of the test set; None without score files."""
    difference: Difference | None
    """None for the baseline itself, and where no seed is shared."""
    first: float | None
    """Probability of the highest mean among the rows that are ranked; None for an upper bound or an unverified row."""

    def cells(self, digits: int = 1) -> list[str]:
        """Return the texts under `TITLES`: mAP in per cent, differences in points."""
        gap = self.difference
        return [
            self.name,
            str(self.seeds),
            _text(self.mean, digits),
            _text(self.error_images, digits),
            "baseline" if gap is None else f"{100 * gap.mean:+.{digits}f}",
            "–" if gap is None or gap.low is None else f"{_signed(gap.low, digits)} … {_signed(gap.high, digits)}",
            "–" if self.first is None else f"{100 * self.first:.0f} %",
            "–" if gap is None else gap.verdict,
        ]


def compare(
    rows: Sequence[Row],
    *,
    baseline: str,
    measure: str,
    folders: Sequence[Path],
    resampler: Resampler | None,
    level: float = 0.95,
    trust: Mapping[str, str] | None = None,
    seed: int = 0,
) -> list[ComparedRow]:
    """Return every row of one table beside the row called `baseline`, the best first.

    Rows are paired over the seeds that both have; over several class orders by order and seed, averaged in each order,
    and the orders take the place of the seeds. Unverified rows, by `trust`, and upper bounds are never first.
    UsageError: no row has that name, or several have.
    """
    told = method_names(rows)
    places = named(rows, baseline)
    if len(places) != 1:
        refuse(rows, baseline)
    against = rows[places[0]]
    drawn = {row.first.configuration: _drawn(row, measure, folders, resampler) for row in rows}
    images = [_mean(drawn[row.first.configuration], list(map(_unit, row.records))) for row in rows]
    values = [np.array(_by_order(_values(row, measure))) for row in rows]
    bounds = upper_bounds(rows)
    ranked = [place for place, row in enumerate(rows) if row not in bounds and not _wrong(row, trust or {})]
    chances = _first(ranked, values, images, seed=seed)
    compared = [
        ComparedRow(
            name,
            seeds=len(_values(row, measure)),
            mean=float(numbers.mean()),
            error_images=None if draws is None else float(np.nanstd(draws, ddof=1)),
            difference=None if row is against else _difference(row, against, measure=measure, drawn=drawn, level=level),
            first=chance,
        )
        for name, row, numbers, draws, chance in zip(told, rows, values, images, chances, strict=True)
    ]
    return sorted(compared, key=lambda row: -row.mean)


def named(rows: Sequence[Row], baseline: str) -> list[int]:
    """Return the places of the rows that `baseline` may mean: the row of that name, else those of that strategy.

    A name is the one of the table, or the shorter one of the legends of figures.
    Of a strategy that ran with several heads, its own head is meant where one row has it.
    """
    told = zip(method_names(rows), (name for name, *_ in names(rows)), strict=True)
    exact = [place for place, both in enumerate(told) if baseline in both]
    of_name = [place for place, row in enumerate(rows) if row.first.strategy.name == baseline]
    own_head = [place for place in of_name if "head" not in rows[place].first.strategy.changed]
    return exact or (own_head if len(own_head) == 1 else of_name)


def refuse(rows: Sequence[Row], baseline: str) -> NoReturn:
    """Raise the UsageError for a baseline that means no row, or several."""
    told = method_names(rows)
    places = named(rows, baseline)
    if not places:
        raise UsageError(
            f"--baseline {baseline}: no row has this name.{suggest(baseline, told)}", hint=f"Rows: {'; '.join(told)}"
        )
    listed = "; ".join(told[place] for place in places)
    raise UsageError(f"--baseline {baseline}: {len(places)} rows could be meant.", hint=f"Name one of: {listed}")


def notes(
    rows: Sequence[ComparedRow], *, measure: str, images: int | None, resamples: int, orders: Sequence[str] = ()
) -> list[str]:
    """Return what a reader must know before reading the table; `orders` are its class orders."""
    title = "mAP after the last session" if measure == "last_map" else "mAP averaged over the sessions"
    found = [f"{title}, in per cent; differences in points, paired by seed; 95 % for each comparison by itself."]
    if len(orders) > 1:
        found.append(f"Paired by class order too: what varies are the means of {len(orders)} orders, not the seeds.")
    if images is None:
        found.append("The test images could not be drawn again: intervals come from the seeds alone.")
    else:
        found.append(f"± images: standard error from {images:,} test images, {resamples:,} bootstrap resamples.")
    if images is not None and any(row.error_images is None for row in rows):
        found.append("Rows without score files on this machine have intervals from their seeds alone.")
    return found


def grid_of(rows: Sequence[ComparedRow]) -> Grid:
    """Return the table as texts, for every format."""
    return plain_grid(TITLES, [row.cells() for row in rows], sides="lrrrrrrl")


def markdown(rows: Sequence[ComparedRow], said: Sequence[str]) -> str:
    """Return the table and its notes as Markdown."""
    return "\n".join([*grid_lines(grid_of(rows)), "", *(f"> {text}" for text in said)]) + "\n"


def latex(rows: Sequence[ComparedRow], said: Sequence[str], *, heading: str) -> str:
    """Return the table in LaTeX, its notes in the caption."""
    return grid_table(grid_of(rows), caption=" ".join([f"{heading}.", *said]), label=f"{heading}-compared")


def csv_text(rows: Sequence[ComparedRow]) -> str:
    """Return the table as CSV, in fractions."""
    names = ("method", "seeds", "mean", "error_images", "difference", "low", "high", "error_seeds", "first", "verdict")
    lines = []
    for row in rows:
        gap = row.difference
        told = [None] * 4 if gap is None else [gap.mean, gap.low, gap.high, gap.error_seeds]
        verdict = "baseline" if gap is None else gap.verdict
        lines.append([row.name, row.seeds, row.mean, row.error_images, *told, row.first, verdict])
    return as_csv(names, lines)


Unit = tuple[str, int]
"""A class order, empty for the scenario's own, and a seed."""


def _unit(record: Record) -> Unit:
    return order_of(record), record.seed


def _values(row: Row, measure: str) -> dict[Unit, float]:
    values = {_unit(record): record.summary.get(measure) for record in row.records}
    return {unit: value for unit, value in values.items() if value is not None}


def _by_order(values: Mapping[Unit, float]) -> list[float]:
    """Return what varies: the values of the seeds, or the mean of each class order where there are several."""
    orders: dict[str, list[float]] = {}
    for (order, _), value in values.items():
        orders.setdefault(order, []).append(value)
    return list(values.values()) if len(orders) == 1 else [math.fsum(found) / len(found) for found in orders.values()]


def _wrong(row: Row, trust: Mapping[str, str]) -> bool:
    return any(trust.get(record.content) == LEVELS[0] for record in row.records)


def _first(
    ranked: Sequence[int],
    values: Sequence[npt.NDArray[np.float64]],
    images: Sequence[npt.NDArray[np.float64] | None],
    *,
    seed: int,
) -> list[float | None]:
    """Return every row's chance to be first among those at the places `ranked`; None for the others."""
    found: list[float | None] = [None] * len(values)
    if not ranked:
        return found
    draws = [images[place] for place in ranked]
    known = [drawn for drawn in draws if drawn is not None]
    chances = first_place(
        np.array([values[place].mean() for place in ranked]),
        np.array([_error(values[place]) for place in ranked]),
        draws=np.stack(known, axis=1) if len(known) == len(draws) else None,
        freedom=np.array([len(values[place]) - 1 for place in ranked]),
        seed=seed,
    )
    for place, chance in zip(ranked, chances.tolist(), strict=True):
        found[place] = chance
    return found


def _error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0


Drawn = dict[Unit, npt.NDArray[np.float64]]


def _drawn(row: Row, measure: str, folders: Sequence[Path], resampler: Resampler | None) -> Drawn:
    found: Drawn = {}
    for record in row.records if resampler else ():
        assert resampler is not None
        draws = resampler.measure(record, folders=folders, name=measure)
        if draws is not None:
            found[_unit(record)] = draws
    return found


def _mean(drawn: Drawn, units: Sequence[Unit]) -> npt.NDArray[np.float64] | None:
    """Return the mean over orders and seeds on every resample, or None where one of them has no score files."""
    if not units or any(unit not in drawn for unit in units):
        return None
    orders = [[drawn[unit] for unit in units if unit[0] == order] for order in dict.fromkeys(unit[0] for unit in units)]
    return np.asarray(np.mean([np.mean(found, axis=0) for found in orders], axis=0))


def _difference(row: Row, against: Row, *, measure: str, drawn: dict[str, Drawn], level: float) -> Difference | None:
    ours, theirs = _values(row, measure), _values(against, measure)
    units = [unit for unit in ours if unit in theirs]
    if not units:
        return None
    left = _mean(drawn[row.first.configuration], units)
    right = _mean(drawn[against.first.configuration], units)
    return paired_difference(
        _by_order({unit: ours[unit] for unit in units}),
        _by_order({unit: theirs[unit] for unit in units}),
        images=None if left is None or right is None else left - right,
        level=level,
    )


def _text(value: float | None, digits: int) -> str:
    return "–" if value is None or math.isnan(value) else f"{100 * value:.{digits}f}"


def _signed(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{100 * value:+.{digits}f}"
