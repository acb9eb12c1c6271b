"""What verification says about a record: the fields that are wrong and how far the record can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.errors import ClbenchError

if TYPE_CHECKING:
    from clbench.records.schema import Record

LEVELS = ("unverified", "consistent", "re-scored", "reproduced")
"""Trust, rising: something is wrong; every number follows from the AP matrices and counts; those follow from the score
files; somebody ran it again and got the same."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the field it was found in and what it is."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field} {self.problem}"


@dataclass(frozen=True)
class Verification:
    """The outcome for one record: the level reached, or `unverified` with the findings that prevent a higher one."""

    path: Path | None
    level: str
    findings: tuple[Finding, ...] = ()
    record: Record | None = None
    """The record, if it could be read at all and its tables fit its labels and sessions."""

    unscored: ClbenchError | None = None
    """Why it could not be scored again, where that was asked for: its scenario or its data are not here."""

    copy: Path | None = None
    """The scenario's file beside the scores, where it stood in for one that is not found by name."""

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
