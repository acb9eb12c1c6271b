"""What a look at a data set found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Observation:
    """One thing that is right, odd or wrong; `items` are the first few ids or files it is about."""

    level: Literal["ok", "warning", "error"]
    text: str
    hint: str = ""
    items: tuple[str, ...] = ()


@dataclass
class Report:
    """Everything that was found; `ok` when nothing is wrong."""

    name: str
    root: Path | None
    findings: list[Observation] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Say whether there is no error; warnings are no errors."""
        return not any(finding.level == "error" for finding in self.findings)

    def fine(self, text: str) -> None:
        """Add something that is as it should be."""
        self.findings.append(Observation("ok", text))

    def warn(self, text: str, *, hint: str = "", items: Sequence[str] = ()) -> None:
        """Add something odd that stops nobody."""
        self.findings.append(Observation("warning", text, hint, tuple(items[:20])))

    def error(self, text: str, *, hint: str = "", items: Sequence[str] = ()) -> None:
        """Add something wrong."""
        self.findings.append(Observation("error", text, hint, tuple(items[:20])))
