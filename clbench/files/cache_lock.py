"""The lock of a file in the cache that several runs want and one makes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def made_once(path: Path) -> Iterator[None]:
    """Hold the one right to make the file `path`; who comes later waits. After an error no lock is left of it."""
    from filelock import FileLock

    lock = Path(f"{path}.lock")
    with FileLock(lock):
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # an open file cannot be removed everywhere
                lock.unlink()
            raise
