"""Avalanche where the home folder cannot be written, as in containers and on compute nodes."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

_CONFIG = "avalanche.benchmarks.datasets.dataset_utils"


def spare_home() -> bool:
    """Keep Avalanche from a home folder that it cannot write to, and return whether that was needed.

    The module that writes its configuration, `~/.avalanche/config.json`, when it is imported is imported now, with
    another home for that while. It says where data sets of Avalanche's own lie, of which nothing here makes use.
    """
    if _CONFIG in sys.modules or _usable(Path(os.path.expanduser("~/.avalanche"))):  # noqa: PTH111 - as Avalanche asks
        return False
    found = importlib.util.find_spec("avalanche")
    places = (found.submodule_search_locations if found else None) or []
    file = next(iter(places), "") + "/benchmarks/datasets/dataset_utils.py"
    spec = importlib.util.spec_from_file_location(_CONFIG, file)
    if spec is None or spec.loader is None or not Path(file).is_file():
        return False
    module = importlib.util.module_from_spec(spec)
    before = os.environ.get("HOME")
    with tempfile.TemporaryDirectory(prefix="clbench-home-") as home:
        os.environ["HOME"] = home
        try:
            spec.loader.exec_module(module)
        finally:
            if before is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = before
    module.set_dataset_root(str(Path(tempfile.gettempdir(), "avalanche")))
    sys.modules[_CONFIG] = module
    return True


def _usable(folder: Path) -> bool:
    try:
        if (folder / "config.json").is_file():
            return os.access(folder / "config.json", os.R_OK)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
