"""The leaderboard as LaTeX, with booktabs and graphicx, for papers of one column or two."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from msgspec import UnsetType
from msgspec.structs import replace

from clbench.report.formats.grid import Grid
from clbench.report.table.above_bound import above_bound
from clbench.report.table.columns import Column
from clbench.report.table.model import Leaderboard, Table, TableRow

Item = TypeVar("Item")

NEEDS = r"% Made by clbench; needs \usepackage{booktabs,graphicx}."
"""What stands above every table."""

GROUPS = (
    ("mAP", {"average_map": "Avg.", "last_map": "Last"}),
    ("F1", {"cf1_harmonic": "CF1", "macro_f1": "macro", "of1": "OF1"}),
    ("", {"forgetting": "Forg.", "bwt": "BWT", "gap": "Gap", "stored_images": "Stored", "parameters": "Params",
          "trials": "Trials"}),
)  # fmt: skip
"""The number columns that fit the width of a page, under their common headings; the other formats have all."""

MOST_ROWS = 40
"""Rows of a table that stand on one page of A4 or letter paper at this size, with a long caption and notes below."""
LONG_TEXT = 40
"""Letters from which the texts of a column are broken."""

_SIGN = re.compile(r"(?<![^ ])-(?=\d)")
"""A hyphen that stands before a number is a minus."""
_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"$\sim$", "^": r"\^{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}", "`": r"\textasciigrave{}",
    "–": "--", "−": "$-$", "±": r"$\pm$", "×": r"$\times$", '"': "''",
}  # fmt: skip


def latex(board: Leaderboard) -> str:
    """Return one `table*` per table, as `NEEDS` says."""
    tables = []
    for table in board.tables:
        for number, rows in enumerate(_pages(table.rows)):
            tables.append(_table(board, replace(table, rows=rows, slug=_numbered(table.slug, number))))
        for number, printed in enumerate(_pages(table.printed)):
            tables.append(_printed(replace(table, printed=printed, slug=_numbered(f"{table.slug}-printed", number))))
    return f"{NEEDS}\n" + "\n".join(tables)


def _pages(rows: Sequence[Item]) -> list[list[Item]]:
    """Return rows in parts that leave room on a page for caption and notes, since no table breaks between pages."""
    return [list(rows[start : start + MOST_ROWS]) for start in range(0, len(rows), MOST_ROWS)]


def _numbered(label: str, number: int) -> str:
    return f"{label}-{number + 1}" if number else label


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, also right after a line break, where `[` and `*` are an option of it."""
    shown = filter(str.isprintable, " ".join(text.split()))
    return "".join(_SPECIAL.get(character, character) for character in shown)


def label_command(*parts: str) -> str:
    """Return the command that labels a table, of letters that a label may have."""
    return rf"\label{{tab:{re.sub(r'[^A-Za-z0-9._-]', '-', '-'.join(parts))}}}"


def _table(board: Leaderboard, table: Table) -> str:
    settings = list(dict.fromkeys(row.settings for row in table.rows if row.changed))
    lines = [
        r"\begin{table*}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{escape(_caption(board, table))}}}",
        label_command(table.slug),
        *fitted(_rows(board, table, settings)),
    ]
    lines += below({letter(place): text for place, text in enumerate(settings)})
    return "\n".join([*lines, r"\end{table*}", ""])


def _caption(board: Leaderboard, table: Table) -> str:
    parts = [
        f"{table.heading}: {table.title.rstrip('.')}.",
        f"Mean ± sample standard deviation over the {'class orders' if table.orders else 'seeds'}, in per cent; "
        f"F1 at {board.threshold}.",
        f"Ranked by {board.known[board.ranked_by(table)].title}; overlapping seed intervals share a rank.",
    ]
    if table.stand_in:
        parts.append(f"Generated pictures ({table.dataset}) stood in for the data set.")
    if table.apart:
        parts.append(f"A table of its own because {table.apart}.")
    if above := above_bound(board, table):
        parts.append(above)
    for mark in table.marks():
        bearers = list(dict.fromkeys(row.strategy for row in table.rows if mark in row.marks))
        everyone = all(mark in row.marks for row in table.rows)
        parts.append(f"{mark[0].upper()}{mark[1:]}: {'all rows' if everyone else ', '.join(bearers)}.")
    return " ".join(parts)


def _rows(board: Leaderboard, table: Table, settings: list[str]) -> list[str]:
    shown = [
        (group, {key: name for key, name in keys.items() if any(row.cells[key].mean is not None for row in table.rows)})
        for group, keys in _groups(board)
    ]
    beside = any(board.beside(row, table) for row in table.rows)
    spans, rules, place = ["", "", "", ""], [], 5
    for name, group in shown:
        if name and group:
            told = escape(f"{name} @{board.threshold}" if name == "F1" else name)
            spans.append(rf"\multicolumn{{{len(group)}}}{{c}}{{{told}}}")
            rules.append(rf"\cmidrule(lr){{{place}-{place + len(group) - 1}}}")
        else:
            spans += [""] * len(group)
        place += len(group)
    keys = [key for _, group in shown for key in group]
    names = ["", "Strategy", "Head", "Seeds", *(escape(name) for _, group in shown for name in group.values())]
    if beside:
        names.append(escape(f"Printed {board.title(board.printed_key(table))}"))
        spans.append("")
    columns = board.columns
    lines = [rf"\begin{{tabular}}{{@{{}}rllr{'r' * (len(keys) + beside)}@{{}}}}", r"\toprule"]
    lines += [" & ".join(spans) + r" \\", "".join(rules), " & ".join(names) + r" \\", r"\midrule"]
    for row in table.rows:
        note = rf"$^{{{letter(settings.index(row.settings))}}}$" if row.changed else ""
        cells = ["--" if row.rank is None else str(row.rank), escape(row.strategy) + note, escape(row.head)]
        cells += [str(len(row.seeds)), *(_number(row, columns[key], board.digits) for key in keys)]
        cells += [escape(board.beside(row, table) or "–")] if beside else []
        lines.append(" & ".join(cells) + r" \\")
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _groups(board: Leaderboard) -> list[tuple[str, dict[str, str]]]:
    """Return the columns under their common headings; those that were chosen or measured besides have none."""
    grouped = {key for _, keys in GROUPS for key in keys}
    chosen = not isinstance(board.shown, UnsetType)
    wanted = board.columns if chosen or not isinstance(board.measured, UnsetType) else {}
    found = [(name, {key: text for key, text in keys.items() if key in board.columns}) for name, keys in GROUPS]
    measured = set() if isinstance(board.measured, UnsetType) else set(board.measured)
    rest = {key: board.title(key) for key in wanted if key not in grouped and (chosen or key in measured)}
    return [*found, ("", rest)]


def _number(row: TableRow, column: Column, digits: int) -> str:
    cell = row.cells[column.key]
    mean, _, spread = column.text(cell.mean, cell.std, digits=digits).partition(" ± ")
    text = escape(mean).replace("-", "$-$", 1) if cell.mean is not None else "--"
    text = rf"\textbf{{{text}}}" if cell.best else text
    return text + (rf"{{\tiny$\pm${spread}}}" if spread else "")


def _printed(table: Table) -> str:
    """The printed numbers as a table of their own, sources as notes; remarks and backbones would not fit."""
    sources = list(dict.fromkeys(row.source for row in table.printed))
    kinds = ", ".join(sorted({row.f1_kind for row in table.printed} - {""}))
    caption = f"{table.scenario}: printed in papers, not run here, not ranked." + (f" CF1 is {kinds}." if kinds else "")
    lines = [
        r"\begin{table*}[t]",
        r"\centering\scriptsize",
        rf"\caption{{{escape(caption)}}}",
        label_command(table.slug),
    ]
    shown = [
        r"\begin{tabular}{@{}lllrrrr@{}}",
        r"\toprule",
        r"Method & Year & Buffer & Avg.\ mAP & Last mAP & CF1 & OF1 \\",
        r"\midrule",
    ]
    for row in table.printed:
        note = rf"$^{{{letter(sources.index(row.source))}}}$"
        cells = (row.year, row.buffer, row.average_map, row.last_map, row.cf1, row.of1)
        shown.append(" & ".join([escape(row.method) + note, *(escape(cell or "–") for cell in cells)]) + r" \\")
    lines += fitted([*shown, r"\bottomrule", r"\end{tabular}"])
    lines += below({letter(i): text for i, text in enumerate(sources)})
    return "\n".join([*lines, r"\end{table*}", ""])


def grid_table(shown: Grid, *, caption: str, label: str) -> str:
    """Return any grid as a `table*` for the width of a page, as `NEEDS` says.

    A grid of more than `MOST_ROWS` becomes several tables, since none may break between pages.
    """
    parts = _pages(shown.texts) or [[]]
    return "\n".join([NEEDS, *(_part(shown, part, caption, label, number) for number, part in enumerate(parts))])


def fitted(tabular: Sequence[str]) -> list[str]:
    """Return the lines of a tabular in a box that is as wide as the page at most: a wider one is made smaller."""
    return [r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%", *tabular[:-1], tabular[-1] + "}"]


def _part(shown: Grid, rows: list[list[str]], caption: str, label: str, number: int) -> str:
    told = f"{caption} Continued ({number + 1})." if number else caption
    lines = [
        r"\begin{table*}[t]",
        r"\centering\footnotesize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{escape(told)}}}",
        label_command(_numbered(label, number)),
    ]
    tabular = [
        rf"\begin{{tabular}}{{@{{}}{_sides(shown)}@{{}}}}",
        r"\toprule",
        " & ".join(map(escape, shown.titles)) + r" \\",
        r"\midrule",
        *(" & ".join(_SIGN.sub("$-$", escape(text)) for text in row) + r" \\" for row in rows),
    ]
    return "\n".join([*lines, *fitted([*tabular, r"\bottomrule", r"\end{tabular}"]), r"\end{table*}", ""])


def _sides(shown: Grid) -> str:
    """Return a letter per column; one of long texts is a paragraph, so that the table keeps to the page."""
    longest = [max((len(row[place]) for row in shown.texts), default=0) for place in range(len(shown.titles))]
    sides = shown.aligned.replace("-", "l")
    return "".join(
        r"p{0.28\textwidth}" if side == "l" and size > LONG_TEXT else side
        for side, size in zip(sides, longest, strict=True)
    )


def below(notes: dict[str, str]) -> list[str]:
    """Return the lines under a table that say what its raised letters mean; none without notes."""
    if not notes:
        return []
    told = "; ".join(rf"$^{{{letter}}}$\,{escape(text)}" for letter, text in notes.items())
    return [rf"\par\smallskip\parbox{{\textwidth}}{{\scriptsize {told}.}}"]


def letter(place: int) -> str:
    """Return a, b, …, z, aa, ab, … for the notes below a table."""
    return (letter(place // 26 - 1) if place >= 26 else "") + chr(ord("a") + place % 26)
