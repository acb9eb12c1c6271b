"""Roots: the folders that may have `strategies/` and `scenarios/` in them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from clbench.errors import UsageError

GROUP = "clbench.roots"
"""The entry-point group in which an installed distribution announces the package folder that is a root."""


BESIDE = "CLBENCH_BESIDE"
"""Folders of strategy files given by path. Set by clbench for the processes it starts, never by hand."""


@dataclass(frozen=True)
class Root:
    """A folder with `strategies/` or `scenarios/` in it; `origin` is "shipped", "dist:NAME VERSION" or "local"."""

    path: Path
    origin: str


def roots() -> list[Root]:
    """Return the roots in order: shipped, installed distributions, CLBENCH_PATH, the current folder; each once.

    Raises UsageError when CLBENCH_PATH names a folder that does not exist.
    """
    here = Path.cwd()
    return list(
        _scanned(shipped_root(), os.environ.get("CLBENCH_PATH", ""), here if is_root(here) else None, *sys.path)
    )


@lru_cache(maxsize=1)
def _scanned(shipped: Path | None, named: str, here: Path | None, *_search_path: str) -> tuple[Root, ...]:
    """Return the roots; what installed distributions announce depends on Python's search path."""
    found: dict[Path, Root] = {}
    for root in _candidates(shipped, named, here):
        path = root.path.resolve()
        found.setdefault(path, Root(path, root.origin))
    return tuple(found.values())


def shipped_root() -> Path | None:
    """Return the root that belongs to this clbench: inside the wheel, else the checkout around the package."""
    package = Path(__file__).resolve().parents[1]
    inside, around = package / "_shipped", package.parent
    if inside.is_dir():
        return inside
    # the second condition keeps a `site-packages/strategies` of somebody else out
    return around if (around / "pyproject.toml").is_file() and is_root(around) else None


def reference_results() -> Path | None:
    """Return the folder of the records that clbench ships, None where it ships none."""
    shipped = shipped_root()
    folder = shipped / "results" / "reference" if shipped else None
    return folder if folder is not None and folder.is_dir() else None


def is_root(folder: Path) -> bool:
    """Return whether `folder` has `strategies/` or `scenarios/` in it."""
    return (folder / "strategies").is_dir() or (folder / "scenarios").is_dir()


def _candidates(shipped: Path | None, named: str, here: Path | None) -> Iterator[Root]:
    if shipped is not None:
        yield Root(shipped, "shipped")
    yield from announced()
    for text in filter(None, named.split(os.pathsep)):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise UsageError(f"CLBENCH_PATH: {text} is not a folder.", hint="Mend or unset the variable CLBENCH_PATH.")
        yield Root(folder, "local")
    if here is not None:
        yield Root(here, "local")


def announced() -> Iterator[Root]:
    """Yield the roots that installed distributions announce, whether or not their folders exist."""
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        folder = _package_folder(point.value.partition(":")[0].strip())
        origin = f"dist:{point.dist.name} {point.dist.version}" if point.dist else f"dist:{point.name}"
        yield Root(folder or Path(point.value), origin)


def _package_folder(dotted: str) -> Path | None:
    """Return the folder of a package without importing it: announcing a root may not run the distribution's code."""
    from importlib.util import find_spec

    top, *inner = dotted.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place).joinpath(*inner)
        if folder.is_dir():
            return folder
    return None


def strategy_folders() -> list[Path]:
    """Return the folders in which Python finds the modules of `clbench.strategies`."""
    folders = [root.path / "strategies" for root in roots()]
    beside = [Path(text) for text in os.environ.get(BESIDE, "").split(os.pathsep) if text]
    return [folder for folder in [*folders, *beside] if folder.is_dir()]
