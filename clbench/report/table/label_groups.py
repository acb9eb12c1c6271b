"""Base, new and seen labels after each session: on one test set for all, and on each group's own images as KRT does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clbench.metrics.continual import Groups, group_maps
from clbench.records.rows import Row, Stat, stat
from clbench.report.figures.curves import names
from clbench.report.formats.csv_sheet import as_csv
from clbench.report.formats.grid import Grid, plain_grid
from clbench.report.formats.latex import grid_table
from clbench.report.formats.markdown import escape, grid_lines
from clbench.report.table.columns import ERROR
from clbench.report.table.labels import method_names

Name = tuple[str, str, int]

TITLES = ("Strategy", "Seeds", "Session", "Base", "New", "Seen", "± images", "Base (own images)", "New (own images)")
NOTE = (
    "mAP in per cent over the labels of the first session, of this one, and of all so far. Own images: the test images "
    "that hold a label of the group, as in KRT's code; elsewhere all that hold a label seen so far. ± images: standard "
    "error of Seen from the luck of the test images, where score files are here (infinitesimal jackknife)."
)


@dataclass(frozen=True)
class GroupRow:
    """One configuration after one session; a part is None where a seed lacks its score files or has no such label."""

    name: str
    seeds: int
    session: int
    base: Stat | None
    new: Stat | None
    seen: Stat | None
    error_images: Stat | None
    """Standard error of `seen` from the test images."""
    own_base: Stat | None
    own_new: Stat | None

    @property
    def parts(self) -> tuple[Stat | None, ...]:
        """The numbers under the last six of `TITLES`."""
        return self.base, self.new, self.seen, self.error_images, self.own_base, self.own_new

    def cells(self) -> list[str]:
        """Return the texts under `TITLES`."""
        error = "–" if self.error_images is None else ERROR.text(self.error_images.mean)
        shared, apart = map(_percent, self.parts[:3]), map(_percent, self.parts[4:])
        return [self.name, str(self.seeds), str(self.session), *shared, error, *apart]


def group_rows(
    rows: Sequence[Row],
    own: Mapping[Name, Sequence[Groups]],
    errors: Mapping[Name, Sequence[Sequence[float]]] | None = None,
) -> list[GroupRow]:
    """Return a line per configuration and session, configurations in the order of `rows`.

    By name, as `clbench.report.figures.curves.names` gives it, `own` has the groups of every seed on their own images,
    and `errors` the standard error of mAP from the test images of every seed after every session.
    """
    found = []
    for row, name, told in zip(rows, names(rows), method_names(rows), strict=True):
        shared = [group_maps(np.array(record.ap.growing, dtype=np.float64), record.learned) for record in row.records]
        apart, luck = own.get(name), (errors or {}).get(name, ())
        for session in range(len(row.first.scenario.sessions)):
            found.append(
                GroupRow(
                    name=told,
                    seeds=len(row.records),
                    session=session + 1,
                    base=_over(shared, "base", session),
                    new=_over(shared, "new", session),
                    seen=_over(shared, "seen", session),
                    error_images=_known(seed[session] for seed in luck),
                    own_base=_over(apart, "base", session),
                    own_new=_over(apart, "new", session),
                )
            )
    return found


def grid_of(rows: Sequence[GroupRow]) -> Grid:
    """Return the table as texts, for every format."""
    sides = "l" + "r" * (len(TITLES) - 1)
    return plain_grid(TITLES, [row.cells() for row in rows], sides=sides, optional=[ERROR.title])


def markdown(rows: Sequence[GroupRow]) -> str:
    """Return the table in Markdown."""
    return "\n".join(grid_lines(grid_of(rows))) + f"\n\n{escape(NOTE)}\n"


def latex(rows: Sequence[GroupRow], *, heading: str) -> str:
    """Return the table in LaTeX."""
    return grid_table(grid_of(rows), caption=f"{heading}. {NOTE}", label=f"{heading.split()[0]}-groups")


def csv_text(rows: Sequence[GroupRow]) -> str:
    """Return the table in CSV, means and standard deviations as fractions."""
    parts = ("base", "new", "seen", ERROR.key, "base_own_images", "new_own_images")
    names = ["configuration", "seeds", "session", *(f"{part}{end}" for part in parts for end in ("", "_std"))]
    lines = (
        [row.name, row.seeds, row.session]
        + [value for part in row.parts for value in ((None, None) if part is None else (part.mean, part.std))]
        for row in rows
    )
    return as_csv(names, lines, digits=6)


def _over(seeds: Sequence[Groups] | None, group: Literal["base", "new", "seen"], session: int) -> Stat | None:
    return _known(float(getattr(groups, group)[session]) for groups in seeds or ())


def _known(values: Iterable[float]) -> Stat | None:
    return stat(None if math.isnan(value) else value for value in values)


def _percent(part: Stat | None) -> str:
    if part is None:
        return "–"
    return f"{100 * part.mean:.1f}" + (f" ± {100 * part.std:.1f}" if part.n > 1 else "")
