"""The option --format of verbs that print a table."""

from __future__ import annotations

from collections.abc import Callable

import click

from clbench.cli import options


def printed(*formats: str, note: str) -> Callable[[options.Command], options.Command]:
    """Return --format for a verb that prints a table; the first is the default."""
    return click.option(
        "--format", "form", type=click.Choice(formats), default=formats[0], show_default=True, help=note
    )
