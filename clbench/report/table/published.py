"""Numbers printed in papers, with their sources and disagreements; shown beside rows, never ranked with them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from msgspec import Struct

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


def _place(row: Printed) -> tuple[bool, int, float, str]:
    size, _, kind = row.buffer.partition(" ")
    count = int(size) if size.isdigit() else -1
    return (kind == "in all", count, -float(row.average_map or row.last_map or 0), row.method)
