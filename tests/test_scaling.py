"""The measurements of docs/scaling.md can be made."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def module(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
def test_every_part_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    kept = tmp_path / "figures.json"
    words = [sys.executable, str(BENCHMARKS / "scaling.py"), "--rows", "3000", "--labels", "60", "--json", str(kept)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(kept.read_text())
    assert list(found) == list(module("scaling").PARTS)
    assert all(figures["peak bytes"] > 1e7 for figures in found.values())
    assert "labels, sparse: 3,000 images, 60 labels" in done.stdout
    dense, sparse = found["labels, dense"], found["labels, sparse"]
    assert dense["bytes of the table"] == 2 * dense["rows"] * 60
    assert sparse["bytes of the table"] < 2 * 3000 * 60
