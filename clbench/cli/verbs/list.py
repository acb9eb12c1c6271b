"""`clbench list`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from clbench.cli.terminal import output
from clbench.plan import catalog

Lines = list[dict[str, str]]


def _entries(listing: Callable[[], list[catalog.Entry]]) -> Lines:
    return [
        {"name": e.name, "title": e.title, "origin": e.origin, "path": str(e.path), "problem": e.problem}
        for e in listing()
    ]


def _datasets() -> Lines:
    from clbench.data.datasets.registry import DATASETS

    return [{"name": name, "title": known.title, "size": known.size} for name, known in DATASETS.items()]


def _heads() -> Lines:
    from clbench.cli.source import heads

    return [{"name": head.name, "title": head.title} for head in heads()]


KINDS: dict[str, Callable[[], Lines]] = {
    "strategies": lambda: _entries(catalog.strategies),
    "scenarios": lambda: _entries(catalog.scenarios),
    "heads": _heads,
    "datasets": _datasets,
}


@click.command()
@click.argument("kind", required=False, type=click.Choice(list(KINDS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str | None, as_json: bool) -> None:
    """List strategies, scenarios, heads and data sets.

    Files are read, never run: one that is broken is listed with what is wrong with it. Data sets are listed when asked
    for: clbench list datasets.

    \b
    Examples:
      clbench list
      clbench list datasets
      clbench list strategies --json
    """
    # the readers of data sets import NumPy; who asks for everything does not wait for that
    found = {name: KINDS[name]() for name in ([kind] if kind else [name for name in KINDS if name != "datasets"])}
    if as_json:
        plain: Any = found[kind] if kind else found
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    for name, lines in found.items():
        if name != next(iter(found)):
            click.echo()
        output.table([name, ""], [[line["name"], _remark(line)] for line in lines])


def _remark(line: dict[str, str]) -> str:
    if line.get("problem"):
        return f"BROKEN {line['path']}: {line['problem']}"
    origin = line.get("origin", "shipped")
    return line["title"] if origin == "shipped" else f"{line['title']} [{origin}]"
