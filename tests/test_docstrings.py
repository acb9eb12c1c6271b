"""Public functions say the shapes of their arrays and the errors that they raise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "measure_docstrings.py"


def test_shapes_and_errors_are_said():
    done = subprocess.run([sys.executable, str(SCRIPT), "--list"], capture_output=True, text=True, check=True)
    shapes, errors, *lacking = done.stdout.splitlines()
    for line in (shapes, errors):
        assert int(line.rpartition("(")[2].removesuffix("%)")) >= 95, "\n".join([line, *lacking])
