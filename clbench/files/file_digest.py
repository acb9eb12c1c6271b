"""What tells a file's content from every other."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, which is read in parts of 4 MiB. Raises OSError."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            hasher.update(block)
    return hasher.hexdigest()
