"""Names for the shell to complete; none of this imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from clbench.errors import ClbenchError
from clbench.plan import catalog

Names = Callable[[], list[catalog.Entry]]

if TYPE_CHECKING:
    Text = click.ParamType[str]
else:
    Text = click.ParamType  # subscribed only by newer releases of click


class EntryName(Text):
    """The name of a catalog entry, or the path of a file."""

    def __init__(self, name: str, listing: Names, *, commas: bool = False) -> None:
        self.name = name
        self.listing = listing
        self.commas = commas

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the entries whose name begins with `incomplete`, and files."""
        before, comma, last = incomplete.rpartition(",") if self.commas else ("", "", incomplete)
        try:
            found = self.listing()
        except ClbenchError:
            return []
        items = [CompletionItem(before + comma + e.name, help=e.title) for e in found if e.name.startswith(last)]
        return items or [CompletionItem(incomplete, type="file")]


SCENARIO = EntryName("scenario", catalog.scenarios)
STRATEGY = EntryName("strategy", catalog.strategies, commas=True)
ONE_STRATEGY = EntryName("strategy", catalog.strategies)
