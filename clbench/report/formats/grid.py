"""A table as a grid of short texts, from which Markdown, LaTeX and HTML are written alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec import UnsetType

from clbench import PROTOCOL
from clbench.records.rows import PROTOCOLS
from clbench.report.table.above_bound import above_bound
from clbench.report.table.columns import SMALL
from clbench.report.table.model import Leaderboard, Table, TableRow
from clbench.report.table.published import CAUTION

RANK, STRATEGY, HEAD, SETTINGS, SEEDS = "Rank", "Strategy", "Head", "Settings", "Seeds"
TRACK, TRUST, MARKS = "Pretraining", "Trust", "Marks"
FIRST = "First"
"""In how many class orders a row is the first of its table."""
BESIDE = "Printed"
"""The printed number of the method, and the row's difference to it in points."""
PRINTED = ("Method", "Year", "Buffer", "Backbone", "Avg. mAP", "Last mAP", "CF1", "OF1", "Source", "Remarks")
NO_RECORD = "No record of it here: printed numbers alone."
NUMBERS_OF_PRINTED = ("Avg. mAP", "Last mAP", "CF1", "OF1")


@dataclass(frozen=True)
class Field:
    """One cell: its text, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Grid:
    """Headings with the metric key behind each number column (empty for text), and the cells below them."""

    headings: list[tuple[str, str]]
    rows: list[list[Field]]
    sides: str = ""
    """Per column l or r, or - where it does not matter; empty: numbers to the right."""

    @property
    def titles(self) -> list[str]:
        """The headings as texts."""
        return [name for name, _ in self.headings]

    @property
    def texts(self) -> list[list[str]]:
        """The cells as texts."""
        return [[field.text for field in row] for row in self.rows]

    @property
    def aligned(self) -> str:
        """One letter per column: the sides given, or those that follow from the headings."""
        right = {name for name, key in self.headings if key} | {RANK, SEEDS, *NUMBERS_OF_PRINTED}
        return self.sides or "".join("r" if name.split(" (")[0] in right else "l" for name in self.titles)


def plain_grid(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, sides: str, optional: Collection[str] = ()
) -> Grid:
    """Return a grid of plain texts; `sides` has one letter for each column, as in `Grid`.

    A column whose title is `optional` is left out where every cell of it is an en dash.
    """
    lines = list(rows)
    keep = [i for i, title in enumerate(titles) if title not in optional or any(line[i] != "–" for line in lines)]
    return Grid(
        [(titles[i], "") for i in keep],
        [[Field(line[i]) for i in keep] for line in lines],
        "".join(sides[i] for i in keep),
    )


def grid(board: Leaderboard, table: Table, *, keys: Iterable[str] = (), texts: Iterable[str] = ()) -> Grid:
    """Return a table as text; columns without any number are left out.

    `keys` chooses the number columns and `texts` the text columns; empty means all of them.
    """
    wanted = list(keys) or list(board.columns)
    shown = [key for key in wanted if any(row.cells[key].mean is not None for row in table.rows)]
    said = list(texts) or [RANK, STRATEGY, HEAD, SETTINGS, SEEDS, FIRST, BESIDE, TRACK, TRUST, MARKS]
    if not table.orders:
        said = [text for text in said if text != FIRST]
    if not any(row.changed for row in table.rows):
        said = [text for text in said if text != SETTINGS]
    if not any(board.beside(row, table) for row in table.rows):
        said = [text for text in said if text != BESIDE]
    before = [text for text in said if text not in (FIRST, BESIDE, TRACK, TRUST, MARKS)]
    after = [text for text in said if text in (FIRST, BESIDE, TRACK, TRUST, MARKS)]
    headings = [(text, "") for text in before] + [(board.title(key), key) for key in shown]
    headings += [(f"{text} {board.title(board.printed_key(table))}" if text == BESIDE else text, "") for text in after]
    rows = [
        [Field(_said(row, text)) for text in before]
        + [Field(board.text(row, key), row.cells[key].best) for key in shown]
        + [Field(_beside(board, table, row, text)) for text in after]
        for row in table.rows
    ]
    return Grid(headings, rows)


def printed_grid(table: Table) -> Grid:
    """Return the printed numbers of a table as text; columns and kinds as `published.CAUTION` explains."""
    kinds = {row.f1_kind for row in table.printed} - {""}
    rows = [
        [
            Field(value or "–")
            for value in (
                row.method,
                row.year,
                row.buffer,
                row.backbone,
                row.average_map,
                row.last_map,
                row.cf1,
                row.of1,
                row.source,
                row.remarks,
            )
        ]
        for row in table.printed
    ]
    keep = [place for place in range(len(PRINTED)) if any(row[place].text != "–" for row in rows)]
    kind = f" ({next(iter(kinds))})" if len(kinds) == 1 else ""
    names = [PRINTED[place] + (kind if PRINTED[place] == "CF1" else "") for place in keep]
    return Grid([(name, "") for name in names], [[row[place] for place in keep] for row in rows])


def notes(board: Leaderboard, table: Table) -> list[str]:
    """Return what a reader must know before reading the table: stand-in, units, the F1 rule, the stream."""
    found = []
    if table.stand_in:
        found.append(
            f"Stand-in: these rows ran on the generated pictures '{table.dataset}', not on the scenario's data set."
        )
    found += kept_apart(table)
    if not table.rows:
        return [*found, NO_RECORD]
    found += told_of(board, table)
    found.append(
        f"Ranked by {board.known[board.ranked_by(table)].title}. mAP and F1 in per cent, forgetting, BWT and gap in "
        f"points: mean ± sample standard deviation over the {'class orders' if table.orders else 'seeds'}. "
        f"F1 @{board.threshold}: {board.decided}. "
        f"Protocol {table.protocol}, "
        f"scenario digest {table.digest[:12]}."
    )
    return found


def told_of(board: Leaderboard, table: Table) -> list[str]:
    """Return what to know of a table besides: another order than the usual, printed numbers, the luck of the images."""
    found = (
        [] if isinstance(table.tested, UnsetType) else [f"Tested on {table.tested:,} images after the last session."]
    )
    if not isinstance(table.without_ap, UnsetType):
        found.append(table.without_ap)
    found += over_orders(table)
    if board.ranked_by(table) != board.sort:
        few = f"Avg. mAP begins with test sets of fewer than {SMALL} labels, which a method may forget later"
        found.append(f"{few}: the rows go by Last mAP.")
    if above := above_bound(board, table):
        found.append(above)
    if table.of_clocks and "train_seconds" in board.columns:
        found.append(table.of_clocks)
    if any(board.beside(row, table) for row in table.rows):
        found.append(
            "Printed: the number that papers print for the method with a memory of the same size, in brackets the row "
            "minus it, in points. Backbone and recipe may differ."
        )
    if any("error_images" in row.cells and row.cells["error_images"].mean is not None for row in table.rows):
        found.append(
            "± images: standard error of Last mAP from the luck of these test images (infinitesimal jackknife); ranks "
            "know of seeds alone."
        )
    return found


def over_orders(table: Table) -> list[str]:
    """Return what the spread of a table is where its rows are means over class orders."""
    if isinstance(table.orders, UnsetType):
        return []
    return [
        f"Means over the class orders {', '.join(table.orders)}; ± is the spread between these orders, after the mean "
        f"over seeds in each. First: in how many of them no ranked row is better. Whether rankings agree: "
        f"clbench report orders {table.scenario}"
    ]


def kept_apart(table: Table) -> list[str]:
    """Return why a table's numbers may not stand beside others, as sentences."""
    found = [f"Apart from the table above: {table.apart}."] if table.apart else []
    if table.protocol != PROTOCOL:
        told = PROTOCOLS.get(table.protocol, "another clbench measures by it")
        found.append(f"Protocol {table.protocol}, compared with nothing of protocol {PROTOCOL}: {told}.")
    return found


def printed_notes() -> list[str]:
    """Return what a reader must know before reading printed numbers."""
    return [CAUTION]


def _beside(board: Leaderboard, table: Table, row: TableRow, text: str) -> str:
    """Return a text that stands behind the numbers."""
    if text == FIRST:
        return "–" if isinstance(row.first, UnsetType) else f"{row.first} of {len(table.orders or ())}"
    return (board.beside(row, table) or "–") if text == BESIDE else _said(row, text)


def _said(row: TableRow, text: str) -> str:
    if text == RANK:
        return "–" if row.rank is None else str(row.rank)
    if text == SEEDS:
        return "1 seed" if len(row.seeds) == 1 else str(len(row.seeds))
    return {
        STRATEGY: row.strategy,
        HEAD: row.head,
        SETTINGS: row.settings,
        TRACK: row.track,
        TRUST: row.trust,
        MARKS: ", ".join(row.marks),
    }[text] or "–"
