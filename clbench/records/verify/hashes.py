"""Digests of a record and of its parts, and what they say about a record that was changed."""

from __future__ import annotations

import re
from typing import Any

from clbench.files.yaml_text import digest
from clbench.records.json_paths import join

OUTSIDE_CONTENT = ("times", "hashes", "content")
"""Sections that the content hash leaves out: what differs between two equal runs, and the hashes themselves."""

_SHORT = 12
"""Digits of the digests that only locate damage; the sections' own digests, which detect it, are whole."""


def content_hash(plain: dict[str, Any]) -> str:
    """Return the digest of everything that the run decided: no times, no hashes."""
    return digest({key: value for key, value in plain.items() if key not in OUTSIDE_CONTENT})


def part_hashes(plain: dict[str, Any]) -> dict[str, str]:
    """Return path -> digest: whole for sections, short for the parts inside them.

    Matrices have one digest per row; tables (lists of flat mappings) one per row and one per column, so that a changed
    cell is found where they cross.
    """
    found: dict[str, str] = {}
    for name, value in plain.items():
        if name not in ("hashes", "content"):
            found[name] = digest(value)
            _inside(name, value, found)
    return found


def _inside(path: str, value: Any, found: dict[str, str]) -> None:
    kind = type(value[0]) if isinstance(value, list) and value else type(value)
    if kind is dict and isinstance(value, list):
        for index, item in enumerate(value):
            found[f"{path}[{index}]"] = _short(item)
        for key in value[0]:
            found[join(f"{path}[*]", key)] = _short([item.get(key) for item in value])
    elif kind is list:
        for index, item in enumerate(value):
            found[f"{path}[{index}]"] = _short(item)
    elif kind is dict:
        for key, child in value.items():
            below, before = join(path, key), len(found)
            _inside(below, child, found)
            # a container that is taken apart further needs no digest of its own
            if len(found) == before:
                found[below] = _short(child)


def _short(value: Any) -> str:
    return digest(value)[:_SHORT]


def changed_parts(plain: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (path, what is wrong) for every part that no longer has the digest it was written with.

    A digest that was itself changed is told from a changed part by the next outer digest, which still holds.
    """
    stored: dict[str, str] = plain["hashes"]
    fresh = part_hashes(plain)
    wrong = [path for path in fresh if stored.get(path) != fresh[path]]
    gone = [path for path in stored if path not in fresh]
    content_holds = plain["content"] == content_hash(plain)
    if not wrong and not gone:
        return [] if content_holds else [("content", "is not the digest of the record")]
    found: list[tuple[str, str]] = []
    for section in dict.fromkeys(re.split(r"[.\[]", path)[0] for path in (*wrong, *gone)):
        inside = (f"{section}.", f"{section}[")
        inner = [path for path in wrong if path.startswith(inside)]
        lost = [path for path in gone if path.startswith(inside)]
        # the next outer digest is the content's; what lies outside the content has none, so its inner ones must agree
        altered = lost or any(path in stored for path in inner)
        outer_holds = content_holds if section not in OUTSIDE_CONTENT else not altered
        if section in wrong and not outer_holds:
            found += _changed(section, inner, lost, stored)
        else:
            broken = [path for path in wrong if path == section] + inner
            found += [(f"hashes.{path}", _digest_problem(path in stored)) for path in broken]
            strays = [path for path in gone if path == section] + lost
            found += [(f"hashes.{path}", "is a digest of nothing in the record") for path in strays]
    return found


def _changed(section: str, inner: list[str], lost: list[str], stored: dict[str, str]) -> list[tuple[str, str]]:
    """Name what changed in a section as closely as its inner digests tell."""
    found = [(path, "differs from what was written") for path in _cells([path for path in inner if path in stored])]
    found += [(path, "was written and is gone") for path in lost if "[*]" not in path]
    found += [(path, "was not there when the record was written") for path in inner if path not in stored]
    return found or [(section, "differs from what was written")]


def _digest_problem(present: bool) -> str:
    return "was changed; the part itself is whole" if present else "is missing"


def _cells(paths: list[str]) -> list[str]:
    """Replace a table's changed rows and columns by the cells where they cross."""
    columns = [path for path in paths if "[*]" in path]
    cells = []
    for path in paths:
        if path in columns:
            continue
        table = path.rsplit("[", 1)[0]
        crossing = [
            column.replace("[*]", path[len(table) :], 1) for column in columns if column.startswith(f"{table}[*]")
        ]
        cells += crossing or [path]
    return cells
