"""The leaderboard as CSV, for spreadsheets and scripts: all digits, one line per row, printed numbers among them."""

from __future__ import annotations

import csv
import io

from clbench.report.table.model import Leaderboard, Table
from clbench.report.table.published import Printed

_ABOUT = (
    "kind", "scenario", "version", "dataset", "stand_in", "protocol", "digest", "track", "apart", "rank", "strategy",
    "head", "settings", "seeds", "n",
)  # fmt: skip
_AFTER = ("trust", "marks", "configuration", "source", "remarks")


def sheet(board: Leaderboard) -> str:
    """Return all tables as one CSV text: means as fractions with every digit, `NAME_std` beside `NAME`.

    `kind` is `run`, `reference` (clbench ships it) or `printed`; a printed row never has a rank. A printed CF1 stands
    under `macro_f1` only where it is known to be that, at the decision rule of this leaderboard. Texts that a
    spreadsheet would run as a formula get a quote in front.
    """
    names = [name for key in board.columns for name in (key, f"{key}_std")]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [*_ABOUT, *names, *_AFTER], lineterminator="\n", restval="")
    writer.writeheader()
    for table in board.tables:
        about = {name: getattr(table, name) for name in ("scenario", "version", "dataset", "protocol", "digest")}
        about |= {"stand_in": int(table.stand_in), "track": safe(table.track), "apart": table.apart}
        for row in table.rows:
            numbers: dict[str, str] = {}
            for key, cell in row.cells.items():
                numbers |= {key: _digits(cell.mean), f"{key}_std": _digits(cell.std)}
            writer.writerow(
                about
                | numbers
                | {
                    "kind": "reference" if table.reference else "run",
                    "rank": "" if row.rank is None else row.rank,
                    "strategy": row.strategy,
                    "head": safe(row.head),
                    "settings": safe(row.settings),
                    "seeds": " ".join(map(str, row.seeds)),
                    "n": len(row.seeds),
                    "trust": row.trust,
                    "marks": " ".join(row.marks),
                    "configuration": row.configuration,
                }
            )
        writer.writerows(about | _printed(printed, board, table) for printed in table.printed)
    return stream.getvalue()


def _printed(row: Printed, board: Leaderboard, table: Table) -> dict[str, str]:
    same_rule = row.f1_kind == f"macro-F1 @{board.threshold}"
    return {
        "kind": "printed",
        "dataset": row.dataset,
        "track": safe(row.pretraining),
        "strategy": safe(row.method),
        "settings": safe(f"buffer: {row.buffer}" if row.buffer else ""),
        "average_map": _fraction(row.average_map),
        "last_map": _fraction(row.last_map),
        "macro_f1": _fraction(row.cf1 if same_rule else ""),
        "of1": _fraction(row.of1 if same_rule else ""),
        "source": safe(row.source),
        "remarks": safe("; ".join(filter(None, (row.year, row.remarks)))),
    }


def _digits(value: float | None) -> str:
    return "" if value is None else repr(value)


def _fraction(percent: str) -> str:
    return repr(round(float(percent) / 100, 8)) if percent else ""


def safe(text: str) -> str:
    """Return text that no spreadsheet runs as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
