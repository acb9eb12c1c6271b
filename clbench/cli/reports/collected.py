"""The rows that a report is about; how many of their records are unverified is kept for the exit code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.errors import UsageError

if TYPE_CHECKING:
    from clbench.records.collection import Collection, Places
    from clbench.records.record import Record
    from clbench.report.table.model import Leaderboard

log = logging.getLogger(__name__)

UNVERIFIED = "clbench.report.unverified"
WHERE = "clbench.report.unverified.where"
"""The first of their files, where `UNVERIFIED` says that there are some."""
NO_RECORDS = "There are no records of {0}. Run it: clbench run {0}"


def collected(scenario: str, results: Places, reference: bool | None) -> Collection:
    """Return the rows of one scenario, or of all where it is empty."""
    from clbench.records.collection import collect

    found = collect(results, scenario=Path(scenario).stem, reference=reference)
    found = found.of(scenario) if scenario else found
    tell_changed(found.own, scenario=scenario)
    note_unverified(found)
    return found


def printed_board(name: str, *, threshold: str = "", digits: int = 1) -> Leaderboard | None:
    """Return the numbers from papers of a scenario without records; None where there are none, or no such scenario."""
    from clbench.plan.catalog import find_scenario
    from clbench.report.table.chosen import printed_alone
    from clbench.spec.scenario import load_scenario

    try:
        about = load_scenario(find_scenario(name).path)
    except UsageError:
        return None
    board = printed_alone(about, threshold=threshold, digits=digits)
    return board if board.tables else None


def note_unverified(found: Collection) -> None:
    """Keep how many of the records are unverified, for the exit code, and where one lies."""
    from clbench.records.verify.findings import LEVELS

    wrong = [r for row in found.rows for r in row.records if found.trust.get(r.content) == LEVELS[0]]
    meta = click.get_current_context().meta
    meta[UNVERIFIED] = len(wrong)
    meta[WHERE] = next((f" {one.path}" for one in found.wrong if one.path is not None), "")


def tell_changed(records: Sequence[Record], *, scenario: str = "", data: Path | None = None) -> None:
    """Warn of records of which the data here are no longer those that they ran on, and say where a sample was asked.

    `scenario` is the name or file of that of all records, empty where they are of several.
    """
    from clbench.records.data_since import changes_since, sampled

    names = [record.scenario.name for record in records]
    changes = changes_since(records, scenario=scenario, data=data)
    for name, change in dict.fromkeys(zip(names, changes, strict=True)):
        if change:
            log.warning("%s: %s. Rows of the data here: clbench run %s --no-resume", name, change, scenario or name)
    for sample in filter(None, dict.fromkeys(sampled(records, scenario=scenario, data=data))):
        click.echo(f"{sample}.", err=True)
