"""Where caches and data sets lie on this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of everything that can be made again: CLBENCH_CACHE, else the user's cache folder."""
    named = os.environ.get("CLBENCH_CACHE", "")
    if named:
        return Path(named)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "clbench"
    except RuntimeError:  # a container's user may have no home at all
        return Path(tempfile.gettempdir(), f"clbench-{os.getuid()}")


def data_folder() -> Path:
    """Return the folder that holds one folder per data set: CLBENCH_DATA, else `data` in the cache folder."""
    named = os.environ.get("CLBENCH_DATA", "")
    return Path(named) if named else cache_folder() / "data"


def existing(names: Sequence[str]) -> Path | None:
    """Return the first folder of that name in CLBENCH_DATA, then in the cache folder's `data`, or None."""
    for base in dict.fromkeys((data_folder(), cache_folder() / "data")):
        for name in names:
            if (base / name).is_dir():
                return base / name
    return None
