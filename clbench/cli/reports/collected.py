"""The rows that a report is about; how many of their records are unverified is kept for the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from clbench.records.collection import Collection

UNVERIFIED = "clbench.report.unverified"


def collected(scenario: str, results: Path, reference: bool | None) -> Collection:
    """Return the rows of one scenario, or of all where it is empty."""
    from clbench.records.collection import collect
    from clbench.records.verify.findings import LEVELS

    found = collect(results, scenario=Path(scenario).stem, reference=reference)
    found = found.of(scenario) if scenario else found
    wrong = [r for row in found.rows for r in row.records if found.trust.get(r.content) == LEVELS[0]]
    click.get_current_context().meta[UNVERIFIED] = len(wrong)
    return found
