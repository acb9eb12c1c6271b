"""The leaderboard as Markdown, for READMEs and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clbench.report.formats.grid import Grid, grid, notes, printed_grid, printed_notes
from clbench.report.table.model import Leaderboard, Table

# `<!-`, so that no text is a marker of a README;
# an underscore inside a word is no emphasis, so names stay readable in the source
_SPECIAL = re.compile(r"([\\`*|<\[\]]|(?<=<!)-|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def markdown(board: Leaderboard) -> str:
    """Return all tables with headings, notes, the meaning of the marks and the rule of the ranks."""
    if not board.tables:
        return "No records.\n"
    parts = [f"## {escape(t.heading)}\n\n{escape(t.title)}\n\n{markdown_table(board, t)}" for t in board.tables]
    return "\n".join([*parts, f"Ranks: {escape(board.rule)}\n"])


def markdown_table(board: Leaderboard, table: Table, *, keys: Iterable[str] = (), texts: Iterable[str] = ()) -> str:
    """Return one table without its heading; the printed numbers follow under a heading of their own.

    `keys` and `texts` choose the columns as in `grid.grid`.
    """
    blocks = [quoted(notes(board, table))]
    if table.rows:
        blocks.append(grid_lines(grid(board, table, keys=keys, texts=texts)))
    if table.marks():
        blocks.append([f"- **{escape(mark)}**: {escape(meaning)}" for mark, meaning in table.marks().items()])
    if table.printed:
        blocks.append([f"### Printed in papers: {escape(table.heading)}"])
        blocks += [quoted(printed_notes()), grid_lines(printed_grid(table))]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def quoted(texts: Iterable[str]) -> list[str]:
    """Return the lines of a quotation, a paragraph for each text."""
    return "\n>\n".join(f"> {escape(text)}" for text in texts).splitlines()


def grid_lines(shown: Grid) -> list[str]:
    """Return the lines of a table; what is best in its column is bold."""
    rules = [{"r": "--:", "l": ":--"}.get(side, "---") for side in shown.aligned]
    cells = [[f"**{escape(field.text)}**" if field.best else escape(field.text) for field in row] for row in shown.rows]
    return [f"| {' | '.join(line)} |" for line in (map(escape, shown.titles), rules, *cells)]
