"""Avalanche's folder where the home folder cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TOLD = """
import os, sys
from clbench.imports.home import spare_home
needed = spare_home()
module = sys.modules.get("avalanche.benchmarks.datasets.dataset_utils")
print(needed, module and module.AVALANCHE_CONFIG["dataset_location"], os.environ.get("HOME"))
"""


def told(home: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", TOLD], capture_output=True, text=True, env=os.environ | {"HOME": home})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("home", ["/proc/nobody", "/dev/null"])
def test_avalanche_is_spared_a_home_that_cannot_be_written(home: str) -> None:
    needed, place, left = told(home)
    assert needed == "True" and place.endswith("/avalanche") and left == home


def test_a_home_that_can_be_written_is_left_to_avalanche(tmp_path) -> None:
    assert told(str(tmp_path)) == ["False", "None", str(tmp_path)]
