"""How records of schemas written before are read: as records of the present one. Entries are never removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clbench.files.yaml_text import digest
from clbench.records.json_paths import join
from clbench.records.schema import SCHEMA

Plain = dict[str, Any]


def migrated(plain: Plain) -> Plain:
    """Return a plain record of a known schema as one of the present schema. Raises KeyError or TypeError if damaged."""
    return MIGRATIONS[plain["schema"]](plain)


def from_first(plain: Plain) -> Plain:
    """Schema 1 had a digest for every part, in `hashes`; of those the present one keeps that of the times."""
    hashes = plain["hashes"]
    kept = {name: value for name, value in plain.items() if name != "hashes"}
    return kept | {"schema": SCHEMA, "times": plain["times"] | {"digest": hashes["times"]}}


def changed_in_first(plain: Plain) -> list[tuple[str, str]]:
    """Return (path, what is wrong) for every part of a record of schema 1 whose digest in `hashes` is another."""
    stored, fresh = plain["hashes"], _part_hashes(plain)
    paths = [path for path in fresh if stored.get(path) != fresh[path]]
    closest = [path for path in paths if not any(other != path and other.startswith(path) for other in paths)]
    found = [(path, "differs from what was written") for path in closest]
    return found + [(f"hashes.{path}", "is a digest of nothing in the record") for path in stored if path not in fresh]


def _part_hashes(plain: Plain) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in plain.items():
        if name not in ("hashes", "content"):
            found[name] = digest(value)
            _inside(name, value, found)
    return found


def _inside(path: str, value: Any, found: dict[str, str]) -> None:
    kind = type(value[0]) if isinstance(value, list) and value else type(value)
    if isinstance(value, list) and kind in (list, dict):
        for index, item in enumerate(value):
            found[f"{path}[{index}]"] = digest(item)[:12]
        for key in value[0] if kind is dict else ():
            found[join(f"{path}[*]", key)] = digest([item.get(key) for item in value if isinstance(item, dict)])[:12]
    elif kind is dict:
        for key, child in value.items():
            below, before = join(path, key), len(found)
            _inside(below, child, found)
            # a container that is taken apart further needs no digest of its own
            if len(found) == before:
                found[below] = digest(child)[:12]


MIGRATIONS: dict[int, Callable[[Plain], Plain]] = {1: from_first, SCHEMA: lambda plain: plain}
"""How a plain record of each schema ever written becomes one of the present schema."""
