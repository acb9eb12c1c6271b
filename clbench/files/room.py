"""Disks that fill while something is written to them, perhaps by somebody else."""

from __future__ import annotations

import shutil
from pathlib import Path

from clbench.errors import DataError

MARGIN = 200 << 20
"""Bytes that are left free."""
EVERY = 64 << 20
"""Bytes written between two looks."""


class RoomWatch:
    """Looks now and then whether the disk of `folder` still has room for what is written there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._since = EVERY

    def wrote(self, count: int) -> None:
        """Note that `count` bytes were written, or are about to be. Raises DataError where the disk is all but full."""
        self._since += count
        if self._since < EVERY:
            return
        self._since = 0
        free = shutil.disk_usage(self._folder).free
        if free < MARGIN:
            raise DataError(
                f"{self._folder}: the disk is filling up: {free / 1e6:.0f} MB are free, {MARGIN / 1e6:.0f} are kept.",
                hint="Free some space and run it again, or name another folder with --root.",
            )
