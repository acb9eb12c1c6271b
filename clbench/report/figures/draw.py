"""The figures of a report; matplotlib is imported only when one is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from clbench.report.figures.curves import Forgotten, Heat, Line, Point, pareto
from clbench.report.figures.legend import below, legend, letters, width_of
from clbench.report.figures.style import BOUND_DASHES, HEAD_COLOURS, WIDTH, look, styled
from clbench.report.table.columns import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEST_SETS = {"growing": "Growing test set", "fixed": "Fixed test set"}
SMALLER = (6.0, 5.0)
"""Sizes of the names below bars, in points, where they do not fit in the usual one."""
_UNITS: dict[str, tuple[str, list[tuple[float, str]]]] = {
    "stored_images": ("Stored images (largest)", [(1.0, "")]),
    "state_bytes": ("State beside network and images", [(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "bytes")]),
    "parameters": ("Parameters", [(1e9, "billions"), (1e6, "millions"), (1e3, "thousands"), (1.0, "")]),
    "score_cost": ("Backbone passes per test image", [(1.0, "")]),
    "train_seconds": ("Training time", [(3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds")]),
}


@dataclass(frozen=True)
class Bars:
    """One panel of `draw_heads`: (mean, spread) by (method, head), as printed on its axis."""

    title: str
    methods: Sequence[str]
    heads: Sequence[str]
    shared: Mapping[str, bool]
    values: Mapping[tuple[str, str], tuple[float, float]]


def draw_maps(curves: Mapping[str, Sequence[Line]], *, seen: Sequence[int], note: str = "") -> Figure:
    """Draw mAP after each session, one panel per test set; `seen` are the labels known after each session."""
    with styled():
        figure, panels = _figure(len(curves), height=2.5, note=note, share_y=True)
        for panel, (test_set, lines) in zip(panels, curves.items(), strict=True):
            panel.set_title(TEST_SETS[test_set])
            _curves(panel, lines, seen=seen, first=1)
        panels[0].set_ylabel("mAP (%)")
        legend(figure, panels[0])
        return figure


def draw_forgetting(lines: Sequence[Line], *, seen: Sequence[int], note: str = "") -> Figure:
    """Draw forgetting as if each session had been the last; there is none after the first."""
    with styled():
        figure, (panel,) = _figure(1, height=2.5, note=note)
        _curves(panel, lines, seen=seen, first=2)
        panel.axhline(0, color="#888888", linewidth=0.6)
        panel.set_ylabel("Forgetting (points of AP)")
        legend(figure, panel)
        return figure


def draw_heat(heat: Heat, *, note: str = "") -> Figure:
    """Draw the AP of every label after every session; labels are grouped by the session that introduced them."""
    import matplotlib

    sessions, labels = heat.ap.shape
    with styled():
        figure, (panel,) = _figure(1, height=1.5 + 0.17 * sessions - 0.4 * (labels <= 8), note=note)
        colours = matplotlib.colormaps["viridis"].with_extremes(bad="#f2f2f2")
        image = panel.imshow(100 * heat.ap, aspect="auto", cmap=colours, vmin=0, vmax=100, interpolation="nearest")
        panel.grid(False)
        panel.spines[:].set_visible(False)
        panel.tick_params(length=0)
        panel.set_yticks(range(sessions), [str(session + 1) for session in range(sessions)])
        panel.set_title(heat.name, pad=13)  # above the names of the sessions
        panel.set_ylabel("after session")
        size = float(np.clip(0.86 * 72 * 6.1 / labels, 3.5, 7))  # points: the width of a column, a little less
        panel.set_xticks(range(labels), heat.labels, rotation=90 if labels > 8 else 0, fontsize=size)
        for start in heat.starts[1:]:
            panel.axvline(start - 0.5, color="white", linewidth=1.6)
        for session, (start, stop) in enumerate(zip(heat.starts, [*heat.starts[1:], labels], strict=True), start=1):
            if start == stop:
                continue
            middle = (start + stop - 1) / 2
            name = f"session {session}" if stop - start >= labels / 9 else f"s{session}"
            panel.text(middle, -0.72, name, ha="center", va="bottom", fontsize=6.5)
        bar = figure.colorbar(image, ax=panel, pad=0.01, fraction=0.025)
        bar.set_label("AP (%)")
        bar.outline.set_visible(False)
        return figure


def draw_forgotten(
    found: Sequence[Forgotten], *, strategy: str, name: str = "", worst: int = 10, note: str = ""
) -> Figure:
    """Draw the forgetting of every label, and beside it the worst ones by name with the session that brought them."""
    from matplotlib.ticker import MaxNLocator

    colour = look(strategy).colour
    with styled():
        figure, (named, every) = _figure(2, height=2.5, note=note, ratios=(1.0, 1.25))
        top = found[:worst]
        named.barh(
            range(len(top)),
            [100 * item.mean for item in top],
            xerr=[100 * float(np.nan_to_num(item.std)) for item in top],
            color=colour,
            height=0.72,
            error_kw={"elinewidth": 0.7, "ecolor": "#333333"},
        )
        named.set_yticks(range(len(top)), [f"{f.label} ({f.session + 1})" for f in top])
        named.invert_yaxis()
        named.grid(axis="y", visible=False)
        named.set_title(textwrap.fill(f"{name or strategy}: worst {len(top)} labels (session)", 48))
        values = [100 * item.mean for item in found]
        shades = [colour] * len(top) + ["#c9c9c9"] * (len(found) - len(top))
        every.bar(range(1, len(found) + 1), values, color=shades, width=0.85)
        every.axhline(float(np.mean(values)) if values else 0.0, color="#333333", linewidth=0.8, linestyle="--")
        every.grid(axis="x", visible=False)
        every.set_title(f"All {len(found)} labels, mean dashed")
        every.set_xlabel("Labels, most forgotten first")
        every.margins(x=0.01)
        every.xaxis.set_major_locator(MaxNLocator(integer=True))
        named.set_xlabel("Forgetting (points of AP)")
        every.set_ylabel("Forgetting (points of AP)")
        return figure


def draw_costs(
    points: Mapping[str, Sequence[Point]], *, known: Mapping[str, Column], score: str, note: str = ""
) -> Figure:
    """Draw the score against each cost; a grey line joins the rows that no other beats in both."""
    from matplotlib.ticker import LogLocator

    with styled():
        figure, panels = _figure(len(points), height=2.5, note=note, share_y=True)
        for panel, (key, found) in zip(panels, points.items(), strict=True):
            name, scale = _unit(key, found)
            front = pareto(found)
            steps = [(point.x / scale, 100 * point.y) for point in front]
            panel.plot(*zip(*steps, strict=True), color="#bbbbbb", linewidth=1.0, drawstyle="steps-post", zorder=1)
            for point in found:
                _dot(panel, point, x=1 / scale, y=100.0)
            values = [point.x / scale for point in found]
            if min(values) > 0 and max(values) > 20 * min(values):
                panel.set_xscale("log")
                panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                panel.xaxis.set_major_formatter("{x:g}")
                panel.xaxis.set_minor_formatter("")
            panel.set_xlabel(textwrap.fill(name, letters(WIDTH / (len(points) + 0.5), size=7.5)))
        panels[0].set_ylabel(f"{known[score].title} (%)")
        legend(figure, panels[0])
        return figure


def draw_tradeoff(points: Sequence[Point], *, note: str = "") -> Figure:
    """Draw how much old labels changed against how well new ones were learned; up and to the right is better."""
    with styled():
        figure, (panel,) = _figure(1, height=2.7, note=note)
        for point in points:
            _dot(panel, point, x=100.0, y=100.0)
        panel.axhline(0, color="#888888", linewidth=0.6)
        panel.set_xlabel("New labels: AP right after their session (%)  →  learns more")
        panel.set_ylabel("Old labels: change by the end\n(points of AP)  →  keeps more")
        panel.margins(0.12)
        legend(figure, panel)
        return figure


def draw_thresholds(curves: Mapping[str, Sequence[Line]], *, thresholds: Sequence[float], note: str = "") -> Figure:
    """Draw a panel per figure (CP, CR, CF1) over the threshold; see `curves.threshold_curves`."""
    with styled():
        figure, panels = _figure(len(curves), height=2.3, note=note, share_y=True)
        for panel, (name, lines) in zip(panels, curves.items(), strict=True):
            for place, line in enumerate(lines):
                how = look(line.strategy, variant=line.variant)
                panel.plot(
                    thresholds,
                    100 * line.mean,
                    color=how.colour,
                    linestyle=how.dash,
                    marker=how.marker,
                    markevery=(place % 4, 4),  # not one on the other
                    label=line.name,
                )
                if line.seeds > 1:
                    low, high = (np.clip(100 * (line.mean + sign * line.std), 0, 100) for sign in (-1, 1))
                    panel.fill_between(thresholds, low, high, color=how.colour, alpha=0.18, linewidth=0)
            panel.set_title(name)
            panel.set_xlabel("Threshold")
        panels[0].set_ylabel("%")
        legend(figure, panels[0])
        return figure


def draw_heads(bars: Sequence[Bars], *, note: str = "") -> Figure:
    """Draw a panel per number: methods side by side, for each a bar per head with the spread over the seeds.

    Names that are wider than their place are smaller, all alike, and stand upright where none of the sizes helps.
    """
    with styled():
        figure, panels = _figure(len(bars), height=2.5, note=note, ratios=[len(shown.methods) for shown in bars])
        size, upright = _size_of_names(bars)
        for panel, shown in zip(panels, bars, strict=True):
            width = 0.8 / max(len(shown.heads), 1)
            for place, head in enumerate(shown.heads):
                found = [
                    (x, shown.values[method, head])
                    for x, method in enumerate(shown.methods)
                    if (method, head) in shown.values
                ]
                xs = [x + (place - (len(shown.heads) - 1) / 2) * width for x, _ in found]
                panel.bar(
                    xs,
                    [value for _, (value, _) in found],
                    0.92 * width,
                    color=HEAD_COLOURS[place % len(HEAD_COLOURS)],
                    hatch="" if shown.shared[head] else "///",
                    edgecolor="white",
                    linewidth=0.5,
                    label=f"{head} ({'one shared feature' if shown.shared[head] else 'one feature per label'})",
                )
                panel.errorbar(
                    xs,
                    [value for _, (value, _) in found],
                    [spread or np.nan for _, (_, spread) in found],  # one seed has none
                    fmt="none",
                    ecolor="#222222",
                    elinewidth=0.8,
                    capsize=1.5,
                )
            told = [_below_name(method) for method in shown.methods]
            panel.set_xticks(range(len(told)), told, rotation=90 if upright else 0, fontsize=size)
            panel.grid(visible=False, axis="x")
            panel.set_title(shown.title)
        legend(figure, panels[0])
        return figure


def _size_of_names(bars: Sequence[Bars]) -> tuple[float, bool]:
    """Return the largest size of names that fit below their bars, and whether none fits and they stand upright."""
    from matplotlib import rcParams

    methods = [method for shown in bars for method in shown.methods]
    text, room = "\n".join(map(_below_name, methods)), 0.9 * 72 * WIDTH / len(methods)
    for size in (rcParams["xtick.labelsize"], *SMALLER):
        if width_of(text, size=size) <= room:
            return size, False
    return SMALLER[0], True


def _below_name(method: str) -> str:
    """Return `name (setting=1, train.other=2)` as a name with a line per setting below it."""
    name, _, settings = method.removesuffix(")").partition(" (")
    return "\n".join([name, *(text.removeprefix("train.") for text in settings.split(", ") if text)])


def _figure(
    panels: int,
    *,
    height: float,
    note: str,
    share_y: bool = False,
    ratios: Sequence[float] | None = None,
) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(1, panels, sharey=share_y, squeeze=False, width_ratios=ratios)
    if note:
        said = textwrap.fill(note, letters(WIDTH, size=6.5))
        below(figure, lines=1 + said.count("\n"), size=6.5)
        figure.text(0.01, 0.01, said, fontsize=6.5, color="#555555", ha="left", va="bottom")
    return figure, list(axes[0])


def _curves(panel: Axes, lines: Sequence[Line], *, seen: Sequence[int], first: int) -> None:
    sessions = np.arange(first, len(seen) + 1)
    for line in lines:
        how = look(line.strategy, variant=line.variant)
        if line.reference:
            dash = BOUND_DASHES[line.variant % len(BOUND_DASHES)]
            panel.axhline(
                100 * line.mean[-1], color=how.colour, linewidth=1.0, linestyle=dash, label=f"{line.name} (bound)"
            )
            continue
        mean, std = 100 * line.mean[first - 1 :], 100 * line.std[first - 1 :]
        panel.plot(sessions, mean, color=how.colour, marker=how.marker, linestyle=how.dash, label=line.name)
        if line.seeds > 1:
            panel.fill_between(sessions, mean - std, mean + std, color=how.colour, alpha=0.18, linewidth=0)
    # counted from the last session, which every table reports
    told = sessions[::-1][:: -(-len(sessions) // 8)].tolist()
    panel.set_xticks(told, [f"{session}\n({seen[session - 1]})" for session in told])
    panel.set_xlabel("Session (labels seen)")


def _dot(panel: Axes, point: Point, *, x: float, y: float) -> None:
    how = look(point.strategy, variant=point.variant)
    panel.errorbar(
        point.x * x,
        point.y * y,
        xerr=None if np.isnan(point.x_std) else point.x_std * x,
        yerr=None if np.isnan(point.y_std) else point.y_std * y,
        color=how.colour,
        marker=how.marker,
        markersize=5.5,
        markerfacecolor="white" if point.reference else how.colour,
        elinewidth=0.8,
        linestyle="none",
        label=f"{point.name} (bound)" if point.reference else point.name,
        zorder=3,
    )


def _unit(key: str, points: Sequence[Point]) -> tuple[str, float]:
    """Return the name of a cost's axis and the number by which values are divided: the unit that the largest fills."""
    name, units = _UNITS[key]
    largest = max(point.x for point in points)
    scale, unit = next((item for item in units if largest >= item[0]), units[-1])
    return (f"{name} ({unit})" if unit else name), scale
