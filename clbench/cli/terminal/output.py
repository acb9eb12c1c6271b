"""Tables for people: drawn on a terminal, plain and aligned everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def room(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how many columns of a terminal a table takes when no cell is broken; headers may break at spaces."""
    words = [max(map(len, header.split()), default=0) for header in headers]
    return 1 + sum(2 + max(word, *(len(row[i]) for row in rows), 0) for i, word in enumerate(words))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print `rows` under `headers`."""
    if on_terminal():
        _drawn(headers, rows, title=title)
        return
    if title:
        click.echo(title)
    lines = [headers, *rows] if any(headers) else list(rows)
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(len(headers))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def _drawn(headers: Sequence[str], rows: Sequence[Sequence[str]], *, title: str) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), show_header=any(headers))
    for header in headers:
        drawn.add_column(header, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def frame(text: str, *, err: bool = True) -> None:
    """Print `text` inside a frame that cannot be overlooked."""
    lines = text.splitlines()
    width = max(len(line) for line in lines)
    click.secho(f"┏{'━' * (width + 2)}┓", fg="yellow", bold=True, err=err)
    for line in lines:
        click.secho(f"┃ {line.ljust(width)} ┃", fg="yellow", bold=True, err=err)
    click.secho(f"┗{'━' * (width + 2)}┛", fg="yellow", bold=True, err=err)
