"""How this process was started: alone, or by torchrun as one of several that share every run."""

from __future__ import annotations

import os

from clbench.errors import UsageError


def processes() -> int:
    """Return how many processes share each run; 1 unless torchrun, or `--devices`, started this one."""
    return _number("WORLD_SIZE", least=1)


def number() -> int:
    """Return which of them this process is; 0 is the one that writes files and speaks."""
    return _number("RANK", least=0) if processes() > 1 else 0


def here() -> int:
    """Return how many of them are on this machine."""
    return _number("LOCAL_WORLD_SIZE", least=1) if processes() > 1 else 1


def _number(name: str, *, least: int) -> int:
    text = os.environ.get(name, "") or str(least)
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise UsageError(
            f"The variable {name} is '{text}', expected a whole number from {least}.",
            hint="torchrun sets it; elsewhere unset it.",
        )
    return int(text)
