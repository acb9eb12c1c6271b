"""A whole report: leaderboard files and figures of records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from clbench.errors import UsageError, suggest
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.report.figures.curves import Line
from clbench.report.formats.csv_sheet import sheet
from clbench.report.formats.html_fragment import fragment
from clbench.report.formats.latex import latex
from clbench.report.formats.markdown import markdown
from clbench.report.table.columns import Measured
from clbench.report.table.leaderboard import leaderboard, sections
from clbench.report.table.model import Leaderboard


def json_text(board: Leaderboard) -> str:
    """Return the leaderboard as JSON: every table, row and cell with all digits."""
    return msgspec.json.format(msgspec.json.encode(board), indent=2).decode() + "\n"


TABLES: dict[str, Callable[[Leaderboard], str]] = {
    "md": markdown,
    "csv": sheet,
    "tex": latex,
    "html": fragment,
    "json": json_text,
}
"""The formats of a leaderboard, by the ending of its file."""

FIGURES = ("pdf", "svg", "png")
"""The formats of a figure."""

Decided = Callable[[Sequence[Row]], dict[str, list[Line]]]
"""Rows of one table -> figure (CP, CR, CF1) -> lines over `curves.THRESHOLDS`."""


def write_report(
    records: Sequence[Record | Row],
    *,
    trust: Mapping[str, str],
    out: Path,
    formats: Iterable[str] = (*TABLES, *FIGURES),
    sort: str = "",
    threshold: str = "0.5",
    published: bool = True,
    digits: int = 1,
    decided: Decided | None = None,
    only: Collection[str] = (),
    most: int | None = None,
    measured: Measured | None = None,
) -> list[Path]:
    """Write leaderboard and figures of records that were verified already, and return the paths.

    Files: `leaderboard.md`, `.csv`, `.tex`, `.html`, `.json`, and per table a folder `figures/SCENARIO…` with a CSV
    beside every figure; `formats` chooses among `TABLES` and `FIGURES`. `decided` gives the lines of CP and CR over the
    threshold for the rows of a table, which need score files. `only` names configurations by their first digits: tables
    without any of them get no figures, and other rows none of their own. `most` is how many figures each table gets,
    the curves of mAP first. The rest is as in `leaderboard`. Raises UsageError for an unknown format, column or rule.
    """
    chosen = _checked(formats)
    board = leaderboard(
        records, sort=sort, threshold=threshold, trust=trust, published=published, digits=digits, measured=measured
    )
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name in chosen:
        if name in TABLES:
            path = out / f"leaderboard.{name}"
            path.write_text(TABLES[name](board), encoding="utf-8")
            written.append(path)
    pictures = [name for name in chosen if name in FIGURES]
    return written + (
        _figures(board, records, out=out, formats=pictures, decided=decided, only=only, most=most) if pictures else []
    )


def _figures(
    board: Leaderboard,
    records: Sequence[Record | Row],
    *,
    out: Path,
    formats: list[str],
    decided: Decided | None,
    only: Collection[str],
    most: int | None,
) -> list[Path]:
    from clbench.report.figures.album import write_album

    written = []
    for table, (rows, _) in zip(board.tables, sections(records), strict=True):
        # figures of labels are of one class order
        touched = [
            row for row in rows if len(row.orders) == 1 and not (only and row.first.configuration[:8] not in only)
        ]
        if touched:
            lines = decided(rows) if decided else None
            folder = out / "figures" / table.slug
            written += write_album(rows, folder, formats=formats, thresholds=lines, own=touched, most=most)
    return written


def _checked(formats: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(formats))
    for name in chosen:
        if name not in (*TABLES, *FIGURES):
            raise UsageError(
                f"--format {name}: no such format.{suggest(name, (*TABLES, *FIGURES))}",
                hint=f"Choose from {', '.join((*TABLES, *FIGURES))}.",
            )
    return chosen
