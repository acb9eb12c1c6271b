"""Counts and id digests of the official data sets, to tell whether a copy is whole.

The files in `statistics/` hold, per split: the number of images, a SHA-256 over the sorted ids, and how many images
each label has; `source` says where they were computed from. What is not known is not in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "statistics"


def known_statistics(name: str, *, options: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the statistics of data set `name` that hold under `options`, or None when there are none."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    needs = found.get("options", {})
    return found if all(options.get(option) in values for option, values in needs.items()) else None


def id_digest(ids: Iterable[str]) -> str:
    """Return the SHA-256 of the sorted ids, one per line."""
    return hashlib.sha256("".join(f"{image}\n" for image in sorted(ids)).encode()).hexdigest()
