"""Numbers printed in papers, with their sources and disagreements; shown beside rows, never ranked with them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from msgspec import Struct

from clbench.errors import UsageError, suggest

CAUTION = (
    "Copied from print, not run here and never ranked with the rows above: other code, other metrics, other seeds, and "
    "pretraining as claimed (the repositories of KRT, CSC and L3A link backbone weights that were trained on COCO's "
    "labels). CF1 as these papers print it is macro-F1 at the threshold named."
)
"""What stands above every table of printed numbers."""


class Printed(Struct, frozen=True):
    """One printed result; numbers are in per cent, as text with the decimals of the source, empty where not printed."""

    scenario: str
    protocol: str
    dataset: str
    method: str
    buffer: str
    backbone: str
    pretraining: str
    average_map: str
    last_map: str
    cf1: str
    of1: str
    f1_kind: str
    source: str
    year: str
    note: str
    disagrees: str

    @property
    def remarks(self) -> str:
        """The note and what another source prints instead, in one text."""
        return "; ".join(filter(None, (self.note, self.disagrees and f"disagreement: {self.disagrees}")))


@cache
def all_printed() -> tuple[Printed, ...]:
    """Return every curated row, in the order of the file."""
    with Path(__file__).with_name("published.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(Printed(**row) for row in csv.DictReader(stream))


def printed_for(scenario: str) -> list[Printed]:
    """Return what was printed for the protocol that a scenario follows: by buffer, then by average mAP."""
    return sorted((row for row in all_printed() if row.scenario == scenario), key=_place)


def printed_of(name: str) -> list[Printed]:
    """Return the printed rows of a scenario or of a method, in any case of letters. UsageError: there is neither."""
    scenario = name.removesuffix(".yaml").rpartition("/")[2]
    found = printed_for(scenario) or [row for row in all_printed() if row.method.lower() == name.lower()]
    if found:
        return found
    known = [*dict.fromkeys(row.scenario for row in all_printed() if row.scenario), *methods()]
    raise UsageError(
        f"No printed number is known of '{name}'.{suggest(name, known) or suggest(name.upper(), known)}",
        hint="List them: clbench report published",
    )


def methods() -> list[str]:
    """Return the names of the methods of which numbers were printed, in alphabetical order."""
    return sorted({row.method for row in all_printed()}, key=str.lower)


def summary() -> list[list[str]]:
    """Return how many rows there are of each scenario, then of each method."""
    counted = Counter(row.scenario for row in all_printed() if row.scenario)
    by_method = Counter(row.method for row in all_printed())
    return [[name, str(count)] for name, count in [*sorted(counted.items()), *((m, by_method[m]) for m in methods())]]


_ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")


def bibtex_of(rows: Iterable[Printed]) -> str:
    """Return one BibTeX entry for each source of the rows, in order of first appearance.

    It holds what is known here of a source and no more: its name, and where it has one the arXiv number, by which
    titles and authors are found.
    """
    found: dict[str, str] = {}
    for row in rows:
        name = row.source.split(", Table")[0].split(", main table")[0]
        arxiv = _ARXIV.search(name)
        key = f"arxiv_{arxiv[1].replace('.', '_')}" if arxiv else re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        title = name.split(" (")[0] if arxiv else name
        fields = {"title": f"{{{title}}}"}
        if arxiv:
            fields |= {"year": f"20{arxiv[1][:2]}", "eprint": arxiv[1], "archiveprefix": "arXiv"}
        lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
        found.setdefault(key, f"@misc{{{key},\n{lines}}}\n")
    return "\n".join(found.values())


def _place(row: Printed) -> tuple[bool, int, float, str]:
    size, _, kind = row.buffer.partition(" ")
    count = int(size) if size.isdigit() else -1
    return (kind == "in all", count, -float(row.average_map or row.last_map or 0), row.method)
