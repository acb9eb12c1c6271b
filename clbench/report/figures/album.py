"""All figures of one table: which are drawn, what they are called, and the CSV beside each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from clbench.records.record import Record
from clbench.records.rows import Row, is_static
from clbench.report.figures import csv_beside as numbers
from clbench.report.figures import curves, style
from clbench.report.figures import draw as figures
from clbench.report.table.columns import columns
from clbench.report.table.rows import upper_bounds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LINES = 10
"""Configurations that one figure shows, the best ones; its CSV has all."""

MOST_MATRICES = 4
"""Configurations that get an AP matrix and a figure of forgotten labels of their own, the best ones."""

COSTS = ("stored_images", "state_bytes", "parameters", "score_cost", "train_seconds")

Drawn = tuple[str, "Figure", numbers.Lines]
Item = TypeVar("Item", curves.Line, curves.Point)


def write_album(
    rows: Sequence[Row],
    folder: Path,
    *,
    formats: Iterable[str] = style.FORMATS,
    matrices: int = MOST_MATRICES,
    thresholds: dict[str, list[curves.Line]] | None = None,
    own: Collection[Row] | None = None,
    most: int | None = None,
) -> list[Path]:
    """Draw every figure that comparable rows allow, best average mAP first, and return the paths of what was written.

    `formats` are pdf, svg, png. `thresholds` (see `curves.threshold_curves`) adds CP and CR over the threshold.
    `own` are the rows that may have figures of their own, by default all. `most` is how many figures are drawn, the
    curves of mAP first.
    """
    ordered = sorted(rows, key=lambda row: -curves.average(row))
    written = []
    drawn = chain(
        _common(ordered),
        _single([named for named in _named(ordered) if _drawn_alone(named[0], own)][:matrices]),
        _thresholds(thresholds, note=_note(ordered[:1])),
    )
    for name, figure, lines in islice(drawn, most):
        written += [
            *style.save(figure, folder / name, formats=formats),
            numbers.write_csv(lines, folder / f"{name}.csv"),
        ]
    return written


def _drawn_alone(row: Row, own: Collection[Row] | None) -> bool:
    return not is_static(row.first) and (own is None or row in own)


def _common(rows: Sequence[Row]) -> Iterator[Drawn]:
    """Figures that show several configurations."""
    seen = np.cumsum([len(session.labels) for session in _longest(rows).scenario.sessions]).tolist()
    steps = range(1, len(seen) + 1)
    note = _note(rows)
    if len(seen) > 1:
        maps = {test_set: curves.map_curves(rows, test_set=test_set) for test_set in figures.TEST_SETS}
        drawn = {test_set: _shown(lines) for test_set, lines in maps.items()}
        yield (
            "map",
            figures.draw_maps(drawn, seen=seen, note=note),
            numbers.of_lines(maps, kind="test_set", steps=steps),
        )
        forgotten = curves.forgetting_curves(rows)
        table = numbers.of_lines({"fixed": forgotten}, kind="test_set", steps=steps)
        yield "forgetting", figures.draw_forgetting(_shown(forgotten), seen=seen, note=note), table
        points = curves.tradeoff(rows)
        table = numbers.of_points({"new labels learned, old labels kept": points}, kind="figure")
        yield "tradeoff", figures.draw_tradeoff(_shown(points), note=note), table
    known = columns("0.5")
    score = known["average_map"]
    found = {key: curves.cost_points(rows, cost=known[key], score=score) for key in COSTS}
    counted = {key: [point for point in points if not np.isnan(point.x)] for key, points in found.items()}
    costs = {key: points for key, points in counted.items() if points}  # older records know less of what is kept
    shown = {key: _shown(points) for key, points in costs.items()}
    # what costs every row the same sets none apart
    told = {key: points for key, points in shown.items() if len({point.x for point in points}) > 1}
    figure = figures.draw_costs(told or shown, known=known, score=score.key, note=note)
    yield "cost", figure, numbers.of_points(costs, kind="cost")


def _named(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    """Return each row with what legends call it."""
    return [(row, name) for row, (name, _, _) in zip(rows, curves.names(rows), strict=True)]


def _single(rows: Sequence[tuple[Row, str]]) -> Iterator[Drawn]:
    """Figures that show one configuration, named as in the figures that show several."""
    for row, name in rows:
        note = _note([row])
        stem = f"{row.first.strategy.name}-{row.first.configuration[:8]}"
        heat = curves.heat(row, name=name)
        yield f"ap-{stem}", figures.draw_heat(heat, note=note), numbers.of_heat(heat)
        found = curves.forgotten_labels(row)
        if found:
            figure = figures.draw_forgotten(found, strategy=row.first.strategy.name, name=name, note=note)
            yield f"forgotten-{stem}", figure, numbers.of_forgotten(found)


def _thresholds(lines: dict[str, list[curves.Line]] | None, *, note: str) -> Iterator[Drawn]:
    if lines:
        table = numbers.of_lines(lines, kind="figure", steps=curves.THRESHOLDS, step="threshold")
        yield "thresholds", figures.draw_thresholds(lines, thresholds=curves.THRESHOLDS, note=note), table


def _shown(items: Sequence[Item]) -> list[Item]:
    """Return the first `MOST_LINES` that compete, the same ones in every figure, and the bounds of their heads."""
    competing = [item for item in items if not item.reference][:MOST_LINES]
    heads = {item.head for item in competing}
    return [item for item in items if item in competing or (item.reference and item.head in heads)]


def _longest(rows: Sequence[Row]) -> Record:
    return max((row.first for row in rows), key=lambda record: len(record.scenario.sessions))


def _note(rows: Sequence[Row]) -> str:
    scenario = rows[0].first.scenario
    said = []
    if scenario.stand_in:
        said.append(f"Stand-in: generated pictures ({scenario.dataset}), not the data set of {scenario.name}.")
    competing = len(rows) - len(upper_bounds(rows))
    if competing > MOST_LINES:
        said.append(f"The best {MOST_LINES} of {competing} configurations; the CSV beside this figure has all.")
    return " ".join(said)
