"""Average precision of every label after every session, tidy: one number a line, methods by readable names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from clbench.records.rows import Row, stat
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import grid_lines
from clbench.report.table.columns import ERROR
from clbench.report.table.rows import changed_texts, common_recipe

NAMES = (
    "scenario", "method", "strategy", "head", "settings", "seed", "session", "label", "learned", "ap", "ap_fixed",
    "error_images",
)  # fmt: skip
"""Columns of the tidy table. Sessions count from 1, `learned` is that which introduced the label; AP are fractions, and
so is the standard error of `ap` from the test images, which is known after the last session."""
Errors = Mapping[str, Mapping[str, float]]
"""Content digest -> label -> standard error of its AP after the last session, from the test images."""
LUCK = f"{ERROR.title}: standard error of a label's AP from the luck of the test images, the largest of these methods"
MOST = 5
"""Methods that a terminal shows side by side."""


def method_names(rows: Sequence[Row]) -> list[str]:
    """Return a name without a digest for every row: strategy, head where it varies, settings, a number if alike."""
    common = common_recipe(rows)
    heads = {(row.first.strategy.name, row.first.strategy.head) for row in rows}
    several = {name for name, count in Counter(name for name, _ in heads).items() if count > 1}
    found, met = [], Counter[str]()
    for row in rows:
        strategy = row.first.strategy
        settings = settings_of(row, common)
        name = strategy.name + (f"/{strategy.head}" if strategy.name in several else "")
        name += f" ({settings})" if settings else ""
        met[name] += 1
        found.append(name if met[name] == 1 else f"{name} #{met[name]}")
    return found


def settings_of(row: Row, common: dict[str, Any]) -> str:
    """Return what a row changes, as text."""
    return ", ".join(changed_texts(row, common))


def tidy(rows: Sequence[Row], errors: Errors | None = None) -> list[list[Any]]:
    """Return a line under `NAMES` for every row, seed, session and label that was learned by then."""
    common = common_recipe(rows)
    lines: list[list[Any]] = []
    for row, name in zip(rows, method_names(rows), strict=True):
        strategy = row.first.strategy
        about = [row.first.scenario.name, name, strategy.name, strategy.head, settings_of(row, common)]
        for record in row.records:
            luck, last = (errors or {}).get(record.content, {}), len(record.ap.growing) - 1
            for session, (growing, fixed) in enumerate(zip(record.ap.growing, record.ap.fixed, strict=True)):
                lines += [
                    [
                        *about,
                        record.seed,
                        session + 1,
                        label,
                        since + 1,
                        growing[place],
                        fixed[place],
                        luck.get(label) if session == last else None,
                    ]
                    for place, (label, since) in enumerate(zip(record.labels, record.learned, strict=True))
                    if since <= session
                ]
    return lines


def csv_text(rows: Sequence[Row], errors: Errors | None = None) -> str:
    """Return the tidy table as CSV with every digit; an AP that is not defined is empty."""
    return as_csv(NAMES, tidy(rows, errors))


def grid_of(rows: Sequence[Row], errors: Errors | None = None, *, most: int | None = None) -> Grid:
    """Return a line per label with its AP after the last session in per cent, a column per method, the first `most`.

    The last column is how far other test images would move it, where that is known of any method.
    """
    shown = list(zip(rows, method_names(rows), strict=True))[:most]
    record = rows[0].first
    lines = []
    for label in record.labels:
        cells = []
        for row, _ in shown:
            found = stat(dict(zip(one.labels, one.ap.growing[-1], strict=True)).get(label) for one in row.records)
            spread = f" ± {100 * found.std:.1f}" if found and found.n > 1 else ""
            cells.append("–" if found is None else f"{100 * found.mean:.1f}{spread}")
        luck = [(errors or {}).get(one.content, {}).get(label) for row, _ in shown for one in row.records]
        error = ERROR.text(max((value for value in luck if value is not None), default=None))
        lines.append([label, str(max(_since(row, label) for row, _ in shown)), *cells, error])
    titles = ["Label", "Session", *(name for _, name in shown), ERROR.title]
    return plain_grid(titles, lines, sides="l" + "r" * (len(titles) - 1), optional=[ERROR.title])


def markdown(rows: Sequence[Row], errors: Errors | None = None) -> str:
    """Return the line per label as Markdown, with a column for every method."""
    return "\n".join(grid_lines(grid_of(rows, errors))) + "\n"


def latex(rows: Sequence[Row], errors: Errors | None = None, *, heading: str) -> str:
    """Return the line per label in LaTeX, with a column for each of the first `MOST` methods."""
    caption = f"{heading}. Average precision after the last session, in per cent." + (f" {LUCK}." if errors else "")
    return grid_table(grid_of(rows, errors, most=MOST), caption=caption, label=f"{heading}-labels")


def _since(row: Row, label: str) -> int:
    first = row.first
    return dict(zip(first.labels, first.learned, strict=True)).get(label, 0) + 1
