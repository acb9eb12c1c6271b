"""The two digests of a record: of what the run decided, and of when and where it did."""

from __future__ import annotations

from typing import Any

from clbench.files.yaml_text import digest

OUTSIDE_CONTENT = ("schema", "times", "content")
"""Sections that the content leaves out: how it is written, what differs between two equal runs, and itself."""


def content_hash(plain: dict[str, Any]) -> str:
    """Return the digest of everything that the run decided."""
    # as the first schema wrote it, so that a record written anew in another schema keeps its content
    return digest({"schema": 1} | {key: value for key, value in plain.items() if key not in OUTSIDE_CONTENT})


def times_hash(times: dict[str, Any]) -> str:
    """Return the digest of the part `times`, but for that digest itself."""
    return digest({key: value for key, value in times.items() if key != "digest"})


def changed_parts(plain: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (path, what is wrong) for each digest that is not the one of the record as it stands."""
    found = []
    if plain.get("content") != content_hash(plain):
        found.append(("content", "is not the digest of the record: something but `times` was changed"))
    if plain["times"].get("digest") != times_hash(plain["times"]):
        found.append(("times.digest", "is not the digest of `times`"))
    return found
