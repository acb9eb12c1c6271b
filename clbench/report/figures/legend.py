"""What stands below the panels of a figure: the legend, in as many columns as fit, and the note."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from clbench.report.figures.style import WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND_LETTERS = 46
"""Letters of a line in a legend; longer names take two."""


def legend(figure: Figure, panel: Axes) -> None:
    """Put the legend below the panels, which keep the width and their height."""
    from matplotlib import rcParams
    from matplotlib.container import ErrorbarContainer

    handles, labels = panel.get_legend_handles_labels()
    if not labels:
        return
    # a marker alone: the stubs of error bars look like part of it
    handles = [handle[0] if isinstance(handle, ErrorbarContainer) else handle for handle in handles]
    size = rcParams["legend.fontsize"]
    labels = [textwrap.fill(label, LEGEND_LETTERS) for label in labels]
    widths = [width_of(label, size=size) for label in labels]
    beside = 1.2 * size * (rcParams["legend.handlelength"] + rcParams["legend.handletextpad"])
    columns = _columns(widths, beside=beside, between=size * rcParams["legend.columnspacing"], room=72 * 0.98 * WIDTH)
    lines = max(sum(1 + labels[place].count("\n") for place in column) for column in _dealt(len(labels), columns))
    bottom = below(figure, lines=1 + lines, size=7.5)
    figure.legend(handles, labels, loc="lower center", bbox_to_anchor=(0.5, bottom), ncols=columns)


def width_of(text: str, *, size: float) -> float:
    """Return how many points the widest line of a text takes at a font size of `size` points."""
    from matplotlib.textpath import TextPath

    return float(max(TextPath((0, 0), line, size=size).get_extents().width for line in text.split("\n")))


def _columns(widths: Sequence[float], *, beside: float, between: float, room: float) -> int:
    """Return in how many columns labels of these widths stand in `room` points, each column as wide as its widest.

    `beside` is a column's handle, `between` the gap to the next one.
    """
    for columns in range(len(widths), 1, -1):
        widest = [max(widths[place] for place in column) for column in _dealt(len(widths), columns)]
        if sum(widest) + columns * (beside + between) <= room:
            return columns
    return 1


def _dealt(labels: int, columns: int) -> list[range]:
    """Return the places of the labels in each column: one column after the other, the first ones longer."""
    rows, longer = divmod(labels, columns)
    starts = [rows * column + min(column, longer) for column in range(columns + 1)]
    return [range(start, end) for start, end in pairwise(starts)]


def letters(width: float, *, size: float) -> int:
    """Return how many letters of a font of `size` points stand in `width` inches."""
    return int(width * 72 / (0.53 * size))


def below(figure: Figure, *, lines: int, size: float) -> float:
    """Make room for `lines` of text below everything that is drawn so far; return where it ends, as a share."""
    engine = figure.get_layout_engine()
    assert engine is not None
    width, height = figure.get_size_inches()
    more = lines * 1.4 * size / 72
    kept = engine.get()["rect"][1] * height
    figure.set_size_inches(width, height + more)
    bottom = (kept + more) / (height + more)
    engine.set(rect=(0, bottom, 1, 1 - bottom))  # type: ignore[call-arg]
    return float(kept / (height + more))
