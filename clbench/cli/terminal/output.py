"""Tables and texts for people: drawn to fit on a terminal, plain and aligned everywhere else."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
WRAPPED = ("Settings", "Marks")
"""Titles of columns whose cells may have several lines, broken at spaces."""


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Return how many columns the terminal has, 80 where that is not known."""
    return shutil.get_terminal_size((80, 24)).columns


def room(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns a table takes when no word is broken, and no cell but those under `WRAPPED`."""
    return 1 + sum(2 + _narrowest(header, [row[i] for row in rows]) for i, header in enumerate(headers))


def _narrowest(header: str, cells: Sequence[str]) -> int:
    return max(_longest_word(header), *map(_longest_word if header in WRAPPED else len, cells), 0)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _widths(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the widths of columns that fit the terminal: what may be broken gives way, the widest first."""
    columns = [[row[i] for row in rows] for i in range(len(headers))]
    found = [max(map(len, [header, *cells])) for header, cells in zip(headers, columns, strict=True)]
    # cells whole; then broken at spaces; then anywhere, but headings never
    for floors in (
        [_narrowest(header, cells) for header, cells in zip(headers, columns, strict=True)],
        [max(map(_longest_word, [header, *cells])) for header, cells in zip(headers, columns, strict=True)],
        [max(_longest_word(header), 1) for header in headers],
    ):
        while 1 + sum(2 + size for size in found) > width():
            places = [place for place, floor in enumerate(floors) if found[place] > floor]
            if not places:
                break
            found[max(places, key=lambda place: found[place])] -= 1
    return found


def printable(text: str) -> str:
    """Return text whose control characters are written out, so that it cannot move a cursor or change a colour."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def say(text: str, *, indent: str = "", bold: bool = False) -> None:
    """Print a sentence, on a terminal broken at spaces with `indent` before all lines but the first."""
    text = printable(text)
    lines = [text]
    if on_terminal():
        lines = textwrap.wrap(text, width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    for line in lines or [""]:
        click.secho(line, bold=bold)


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    dispensable: Iterable[str] = (),
    whole: str = "--format md",
) -> None:
    """Print `rows` under `headers`.

    A terminal too narrow for it goes without columns whose titles are `dispensable`, in that order, and says so, and
    that all of it is to be had by `whole`.
    """
    headers, rows, title = (
        [printable(h) for h in headers],
        [[printable(cell) for cell in row] for row in rows],
        printable(title),
    )
    if on_terminal():
        names, kept = list(headers), [list(row) for row in rows]
        left_out = _narrowed(names, kept, dispensable)
        _drawn(names, kept, title=title)
        if left_out:
            say(f"  Not shown, for want of width: {', '.join(left_out)}. All of it: {whole}", indent="  ")
        return
    if title:
        click.echo(title)
    lines = [headers, *rows] if any(headers) else list(rows)
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(len(headers))]
    for line in lines:
        cells = [cell.ljust(size) for cell, size in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def _narrowed(names: list[str], rows: list[list[str]], dispensable: Iterable[str]) -> list[str]:
    """Take columns out of a table until no cell is broken; return what they are called."""
    gone = []
    for column in dispensable:
        if room(names, rows) <= width():
            break
        place = next((i for i, name in enumerate(names) if name.partition(" @")[0] == column), None)
        if place is not None:
            gone.append(names.pop(place))
            for row in rows:
                row.pop(place)
    return gone


def _drawn(headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), show_header=any(headers))
    for header, size in zip(headers, _widths(headers, rows), strict=True):
        drawn.add_column(header, overflow="fold", width=size)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def frame(text: str, *, err: bool = True) -> None:
    """Print `text` inside a frame that cannot be overlooked and that fits the terminal."""
    most = max(width() - 4, 20)
    lines = [
        part
        for line in printable(text).splitlines()
        for part in textwrap.wrap(line, most, break_on_hyphens=False) or [""]
    ]
    size = max(map(len, lines))
    click.secho(f"┏{'━' * (size + 2)}┓", fg="yellow", bold=True, err=err)
    for line in lines:
        click.secho(f"┃ {line.ljust(size)} ┃", fg="yellow", bold=True, err=err)
    click.secho(f"┗{'━' * (size + 2)}┛", fg="yellow", bold=True, err=err)
