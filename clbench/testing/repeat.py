"""Comparing what two runs left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clbench.records.record import OUTSIDE_CONTENT, read_record, to_plain

OUTSIDE = (*OUTSIDE_CONTENT, "code")
"""Sections that two equal runs need not share; `code` may change when somebody commits between them."""


def first_difference(a: Mapping[str, str], b: Mapping[str, str]) -> str:
    """Return the name of the first value that two fingerprints do not share, or ""."""
    if list(a) != list(b):
        return sorted(set(a) ^ set(b))[0] if set(a) != set(b) else "the order of the values"
    return next((name for name in a if a[name] != b[name]), "")


def first_other_section(a: Path, b: Path) -> str:
    """Return the first section in which two records differ, or ""."""
    one, two = to_plain(read_record(a)), to_plain(read_record(b))
    return next((name for name in one if name not in OUTSIDE and one[name] != two[name]), "")
