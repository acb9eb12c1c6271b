"""The leaderboard as an HTML fragment: plain tables for a page that brings its own style."""

from __future__ import annotations

import html

from clbench.report.formats.grid import Grid, grid, notes, printed_grid, printed_notes
from clbench.report.table.columns import Column
from clbench.report.table.model import Leaderboard, Table


def fragment(board: Leaderboard) -> str:
    """Return one `<section>` per table; every text is escaped and number columns carry their formula as a tooltip."""
    sections = [_section(board, table) for table in board.tables]
    return "\n".join([*sections, f'<p class="note">Ranks: {escape(board.rule)}</p>', ""])


def escape(text: str) -> str:
    """Return text that HTML shows as it is, in elements and in attributes."""
    return html.escape(text, quote=True)


def _section(board: Leaderboard, table: Table) -> str:
    lines = [
        f'<section class="leaderboard" data-scenario="{escape(table.scenario)}">',
        f"<h2>{escape(table.heading)}</h2>",
        f"<p>{escape(table.title)}</p>",
        *(f'<p class="note">{escape(note)}</p>' for note in notes(board, table)),
    ]
    if table.rows:
        lines += _grid(grid(board, table), tips={key: _tip(column) for key, column in board.columns.items()})
    if table.marks():
        meanings = (f"<dt>{escape(mark)}</dt><dd>{escape(meaning)}</dd>" for mark, meaning in table.marks().items())
        lines.append(f'<dl class="marks">{"".join(meanings)}</dl>')
    if table.printed:
        lines += [
            "<h3>Printed in papers</h3>",
            *(f'<p class="note">{escape(note)}</p>' for note in printed_notes()),
            *_grid(printed_grid(table), tips={}, kind="printed"),
        ]
    return "\n".join([*lines, "</section>"])


def _grid(shown: Grid, *, tips: dict[str, str], kind: str = "run") -> list[str]:
    number = [side == "r" for side in shown.aligned]
    head = "".join(
        f'<th scope="col"{_class(is_number)}{_title(tips.get(key, ""))}>{escape(name)}</th>'
        for (name, key), is_number in zip(shown.headings, number, strict=True)
    )
    lines = [f'<table class="{kind}">', f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    for row in shown.rows:
        texts = [f"<strong>{escape(field.text)}</strong>" if field.best else escape(field.text) for field in row]
        cells = (f"<td{_class(is_number)}>{text}</td>" for text, is_number in zip(texts, number, strict=True))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return [*lines, "</tbody>", "</table>"]


def _tip(column: Column) -> str:
    from clbench.metrics.names import NAMES

    metric = NAMES.get(column.key)
    return f"{metric.formula}. {metric.doc}" if metric else ""


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _title(text: str) -> str:
    return f' title="{escape(text)}"' if text else ""
