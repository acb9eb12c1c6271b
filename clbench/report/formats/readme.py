"""Tables inside a README, between two markers: written from records, and noticed when they are stale.

A marker names a scenario, or a folder of the results, such as `coco_b40c10.v1.scenes`. A scenario's name leaves out
rows on data other than the scenario pins, which are of whatever was at hand, and those in other class orders: they
stand where their folder is named.
Of each folder the rows of the newest protocol stand there; `coco_b40c10.protocol1` asks for those of an older one.
`leaderboard:coco_b40c10 first=12` keeps the first rows of the first table and says of how many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from clbench.errors import ResultsError, UsageError
from clbench.records.store import is_order_id, is_unpinned_id
from clbench.report.formats.grid import HEAD, MARKS, RANK, SEEDS, SETTINGS, STRATEGY
from clbench.report.formats.markdown import escape, markdown_table
from clbench.report.table import choice
from clbench.report.table.heads_compared import HeadTable, markdown
from clbench.report.table.model import Leaderboard, Table
from clbench.report.table.orders_compared import OrdersTable, notes
from clbench.report.table.orders_compared import markdown as over_orders

KEYS = (
    "average_map", "last_map", "cf1_harmonic", "macro_f1", "of1", "forgetting", "gap", "stored_images", "train_seconds",
    "trials",
)  # fmt: skip
"""Number columns that a README has room for; the report has all."""

Shown = TypeVar("Shown", Table, HeadTable, OrdersTable)


class Besides(NamedTuple):
    """What may stand in a page beside the leaderboard, all of the same records."""

    heads: Sequence[HeadTable] = ()
    orders: Sequence[OrdersTable] = ()
    chosen: Sequence[tuple[Leaderboard, Table]] = ()


NOTHING = Besides()

TEXTS = (RANK, STRATEGY, HEAD, SETTINGS, SEEDS, MARKS)

_KIND = "leaderboard|heads|orders|choose"
_NAME = r"[a-z0-9][a-z0-9._-]*"
_FIRST = r"(?: first=(?P<first>[1-9]\d*))?"
_BLOCK = re.compile(
    rf"(<!-- (?P<kind>{_KIND}):(?P<name>{_NAME}){_FIRST} -->\n)(?P<body>.*?)(<!-- /(?P=kind) -->)",
    re.DOTALL,
)
_OPENING = re.compile(rf"<!-- ((?:{_KIND}):{_NAME}){_FIRST} -->")


def meant(tables: Sequence[Shown], name: str) -> list[Shown]:
    """Return the tables that a marker's `name` asks for: of each folder those of the newest protocol."""
    told, _, protocol = name.partition(".protocol")
    alone = [table for table in tables if not (isinstance(table, Table) and table.orders)]
    found = [table for table in alone if told == table.folder or (told == table.scenario and not _is_apart(table))]
    newest: dict[str, int] = {}
    for table in found:
        newest[table.folder] = max(newest.get(table.folder, 0), table.protocol)
    return [table for table in found if str(table.protocol) == (protocol or str(newest[table.folder]))]


def _is_apart(table: Table | HeadTable | OrdersTable) -> bool:
    return is_unpinned_id(table.folder) or is_order_id(table.folder)


def block(board: Leaderboard, name: str, *, first: int | None = None) -> str:
    """Return the text between the markers for `name`: its tables without the numbers printed elsewhere.

    With `first` the first of them stands there alone, with so many rows.
    """
    parts: list[str] = []
    tables = meant(board.tables, name)
    for table in tables[:1] if first else tables:
        apart = table.apart if parts else ""  # from a table that may not be here
        some = msgspec.structs.replace(table, printed=[], apart=apart, rows=table.rows[:first])
        shown = markdown_table(board, some, keys=KEYS, texts=TEXTS)
        if len(some.rows) < len(table.rows):
            shown += f"\nThe first {len(some.rows)} of {len(table.rows)} rows.\n"
        if first and len(tables) > 1:
            others = sum(len(other.rows) for other in tables[1:])
            shown += f"\nNot shown: {others} row{'s' * (others != 1)} of other tables.\n"
        parts.append(f"\n**{escape(table.heading)}**: {escape(table.title)}\n\n{shown}")
    return "\n".join(parts) + (f"\nRanks: {escape(board.rule)}\n" if parts else f"\nNo records of {name} yet.\n") + "\n"


def heads_block(tables: Sequence[HeadTable], name: str) -> str:
    """Return the text between the markers of the comparison of heads on `name`."""
    found = meant(tables, name)
    return f"\n{markdown(found)}\n" if found else f"\nNo method of {name} has records with more than one head yet.\n\n"


def orders_block(tables: Sequence[OrdersTable], name: str) -> str:
    """Return the text between the markers of class orders on `name`: mAP after the last session over the orders."""
    found = [over_orders(table, notes(table, measure="last_map")) for table in meant(tables, name)]
    told = "\n".join(found) if found else f"No row of {name} has records in more than one class order yet.\n"
    return f"\n{told}\n"


def choices_block(chosen: Sequence[tuple[Leaderboard, Table]], name: str) -> str:
    """Return the text between the markers of which row of `name` to take."""
    wanted = meant([table for _, table in chosen], name)
    found = [choice.markdown(board, table) for board, table in chosen if table in wanted and choice.choices(table)]
    told = "\n".join(found) if found else f"No row of {name} to take yet.\n"
    return f"\n{told}\n"


def names(text: str) -> list[str]:
    """Return the names that a README has markers for. Raises UsageError for a marker that is never closed."""
    blocks = list(_BLOCK.finditer(text))
    found = [block["name"] for block in blocks]
    unclosed = [f"{block['kind']}:{block['name']}" for block in blocks if _OPENING.search(block["body"])]
    unclosed += [opening[1] for opening in _OPENING.finditer(text)][len(found) + len(unclosed) :]
    if unclosed:
        raise UsageError(
            f"<!-- {unclosed[0]} -->: the marker has no <!-- /{unclosed[0].partition(':')[0]} --> before the next one.",
            hint="Write the closing marker on a line of its own.",
        )
    for other in blocks:
        if other["first"] and other["kind"] != "leaderboard":
            raise UsageError(
                f"{other[1].strip()}: what stands between markers of {other['kind']} is shown whole.",
                hint="Leave out first=.",
            )
    return found


def updated(text: str, board: Leaderboard, besides: Besides = NOTHING) -> str:
    """Return a README's text with every block written anew."""
    names(text)
    return _BLOCK.sub(lambda match: match[1] + _body(match, board, besides) + match[6], text)


def stale(text: str, board: Leaderboard, besides: Besides = NOTHING) -> list[str]:
    """Return the names whose block in a README differs from what the records say."""
    names(text)
    return [match["name"] for match in _BLOCK.finditer(text) if match["body"] != _body(match, board, besides)]


def _body(match: re.Match[str], board: Leaderboard, besides: Besides) -> str:
    if match["kind"] == "choose":
        return choices_block(besides.chosen, match["name"])
    if match["kind"] == "orders":
        return orders_block(besides.orders, match["name"])
    if match["kind"] == "heads":
        return heads_block(besides.heads, match["name"])
    return block(board, match["name"], first=int(match["first"]) if match["first"] else None)


def update_readme(path: Path, board: Leaderboard, besides: Besides = NOTHING) -> bool:
    """Write a README's blocks anew; return whether anything changed. Raises ResultsError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}).", hint="Name the README to update.") from error
    fresh = updated(text, board, besides)
    if fresh != text:
        path.write_text(fresh, encoding="utf-8")
    return fresh != text
