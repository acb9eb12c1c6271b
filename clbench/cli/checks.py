"""The checks of the battery and what they promise, read from their source: importing them would import torch."""

from __future__ import annotations

import ast
from pathlib import Path

import clbench
from clbench.cli.source import assigned, first_line, imported, parsed

FOLDER = Path(clbench.__file__).parent / "testing" / "checks"


def checks() -> dict[str, str]:
    """Return name -> sentence of every check in `clbench.testing.battery.CHECKS`, in its order."""
    battery = parsed(FOLDER.parent / "battery.py")
    modules = imported(battery)
    listed = assigned(battery, "CHECKS")
    assert isinstance(listed, ast.Tuple)
    found = {}
    for entry in listed.elts:
        assert isinstance(entry, ast.Call)
        function = entry.args[0]
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            file = modules[function.value.id].rpartition(".")[2]
            found[function.attr] = first_line(parsed(FOLDER / f"{file}.py"), function.attr)
        elif isinstance(function, ast.Name):
            found[function.id] = first_line(battery, function.id)
    return found
