"""A picture with what a label looked at drawn over it, one panel per session."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clbench.report.figures.style import WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR = "#ff5a00"
LETTERS = 21
"""Letters of the note that fit into an inch."""
FOCUSED = 4
"""Times the share of equally weighed positions that it takes at least to be drawn in full colour."""


def draw_looks(
    picture: npt.NDArray[np.uint8], maps: Sequence[npt.NDArray[np.float32]], *, titles: Sequence[str], note: str = ""
) -> Figure:
    """Draw `picture` [side, side, 3] and, beside it, each of `maps` [h, w] over it under its title.

    Positions are drawn as the squares they are, and the same share of the whole is as opaque in all panels: the largest
    one is drawn in full colour, unless even that is little more than what each has when all positions count alike. What
    full colour means is written below, after `note`.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

    colour = ListedColormap([COLOUR])
    columns = min(len(maps) + 1, 6)
    rows = -(-(len(maps) + 1) // columns)
    with styled():
        width = max(WIDTH * columns / 6, 2.6)
        alike = 1 / maps[0].size
        full = max(max(float(found.max()) for found in maps), min(1.0, FOCUSED * alike))
        scale = f"full colour: {_per_cent(full)} on one position (all alike: {_per_cent(alike)})"
        lines = textwrap.wrap(f"{note} · {scale}" if note else scale, int(width * LETTERS))
        figure = Figure(figsize=(width, 1.35 * rows + 0.1 + 0.11 * len(lines)), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels:
            panel.set_axis_off()
        side = len(picture)
        panels[0].imshow(picture)
        panels[0].set_title("picture", loc="left", fontsize=7)
        for panel, found, title in zip(panels[1:], maps, titles, strict=False):
            panel.imshow(picture)
            panel.imshow(
                np.ones_like(found),
                cmap=colour,
                alpha=0.75 * np.clip(found / full, 0, 1),
                extent=(-0.5, side - 0.5, side - 0.5, -0.5),
                interpolation="nearest",
            )
            panel.set_title(title, loc="left", fontsize=7)
        figure.supxlabel("\n".join(lines), fontsize=6.5, color="#666666", x=0.01, ha="left")
        return figure


def _per_cent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
