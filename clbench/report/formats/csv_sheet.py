"""Rows as CSV, for spreadsheets and scripts; the leaderboard with all digits, printed numbers among its rows."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import UnsetType

from clbench.report.table.model import Leaderboard, Table, TableRow
from clbench.report.table.published import Printed

_ABOUT = (
    "kind", "scenario", "version", "dataset", "stand_in", "protocol", "digest", "track", "apart", "rank", "strategy",
    "head", "settings", "seeds", "orders", "n",
)  # fmt: skip
_AFTER = ("trust", "marks", "configuration", "source", "remarks")


FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""What a formula begins with, in either width."""


def as_csv(names: Sequence[str], rows: Iterable[Sequence[Any]], *, digits: int = 0) -> str:
    """Return rows under `names` as CSV. Floats have `digits` significant digits, 0 for all; None and NaN are empty.

    Texts that a spreadsheet would run as a formula get a quote in front.
    """

    def shown(value: Any) -> Any:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return ""
        if isinstance(value, float):
            return f"{value:.{digits}g}" if digits else repr(float(value))
        return safe(value) if isinstance(value, str) else value

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(map(safe, names))
    writer.writerows([shown(value) for value in row] for row in rows)
    return stream.getvalue()


def sheet(board: Leaderboard) -> str:
    """Return all tables as one CSV text: means as fractions with every digit, `NAME_std` beside `NAME`.

    `kind` is `run`, `reference` (clbench ships it) or `printed`; a printed row never has a rank. `n` counts runs: one
    for each seed, in each of the class orders that `orders` names where a row is a mean over several. A printed CF1
    stands under `macro_f1` only where it is known to be that, at the decision rule of this leaderboard. Texts that a
    spreadsheet would run as a formula get a quote in front.
    """
    beside = ["printed"] if any(board.beside(row, table) for table in board.tables for row in table.rows) else []
    names = [*_ABOUT, *(name for key in board.columns for name in (key, f"{key}_std")), *beside, *_AFTER]
    lines: list[dict[str, Any]] = []
    for table in board.tables:
        about = {name: getattr(table, name) for name in ("scenario", "version", "dataset", "protocol", "digest")}
        about |= {"stand_in": int(table.stand_in), "track": table.track, "apart": table.apart}
        for row in table.rows:
            numbers: dict[str, Any] = {}
            for key, cell in row.cells.items():
                numbers |= {key: cell.mean, f"{key}_std": cell.std}
            lines.append(
                about
                | numbers
                | {
                    "kind": ("reference" if table.reference else "run") + (" orders" if table.orders else ""),
                    "rank": "" if row.rank is None else row.rank,
                    "strategy": row.strategy,
                    "head": row.head,
                    "settings": row.settings,
                    "seeds": " ".join(map(str, row.seeds)),
                    "orders": " ".join(table.orders or []),
                    "n": row.runs,
                    "printed": _beside(board, row, table),
                    "trust": row.trust,
                    "marks": " ".join(row.marks),
                    "configuration": row.configuration,
                }
            )
        lines += [about | _printed(printed, board) for printed in table.printed]
    return as_csv(names, ([line.get(name) for name in names] for line in lines))


def _beside(board: Leaderboard, row: TableRow, table: Table) -> float | None:
    """Return the printed number that stands beside a row, a fraction of the column that ranks the table."""
    known = {} if isinstance(row.printed, UnsetType) else row.printed
    return _fraction(known.get(board.printed_key(table), ""))


def _printed(row: Printed, board: Leaderboard) -> dict[str, Any]:
    same_rule = row.f1_kind == f"macro-F1 @{board.threshold}"
    return {
        "kind": "printed",
        "dataset": row.dataset,
        "track": row.pretraining,
        "strategy": row.method,
        "settings": f"buffer: {row.buffer}" if row.buffer else "",
        "average_map": _fraction(row.average_map),
        "last_map": _fraction(row.last_map),
        "macro_f1": _fraction(row.cf1 if same_rule else ""),
        "of1": _fraction(row.of1 if same_rule else ""),
        "source": row.source,
        "remarks": "; ".join(filter(None, (row.year, row.remarks))),
    }


def _fraction(percent: str) -> float | None:
    return round(float(percent) / 100, 8) if percent else None


def safe(text: str) -> str:
    """Return text on one line that no spreadsheet runs as a formula, whatever blanks it begins with."""
    text = re.sub(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+", " ", text)
    return f"'{text}" if text.startswith("\t") or text.lstrip().startswith(FORMULA) else text
