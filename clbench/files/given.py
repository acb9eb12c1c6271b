"""Files of unknown origin: looked at before anything of them is read."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

LARGEST_TEXT = 10 << 20
"""Bytes of what people write by hand: scenarios, strategies, lists."""
LARGEST_TABLE = 8 << 30
"""Bytes of what holds the labels of a whole data set."""
LARGEST_ANY = 1 << 60
"""Bytes of what is read part by part, however large: weights, archives."""


def look_at(path: Path, *, largest: int) -> None:
    """Raise OSError where `path` is no plain file or has more than `largest` bytes; its `strerror` says which.

    Opening a pipe waits for who writes into it, and a device may never end.
    """
    _refuse_odd(path.stat(), path, largest=largest)


def open_given(path: Path, *, largest: int) -> BinaryIO:
    """Return a plain file of at most `largest` bytes, open for reading. Raises OSError, as `look_at` does."""
    # without waiting: between a look and the opening a pipe may take the file's place
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _refuse_odd(os.fstat(handle), path, largest=largest)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def read_given(path: Path, *, largest: int) -> bytes:
    """Return the bytes of a plain file, at most `largest`. Raises OSError, as `look_at` does."""
    with open_given(path, largest=largest) as file:
        # room for what is there: asked for `largest` bytes, reading makes room for all of them beforehand
        data = file.read(os.fstat(file.fileno()).st_size + 1)
        while len(data) <= largest and (more := file.read(1 << 20)):  # it grows
            data += more
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"more than {largest:,} bytes", str(path))
    return data


def _refuse_odd(found: os.stat_result, path: Path, *, largest: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    if found.st_size > largest:
        raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, at most {largest:,} are read", str(path))


def damaged_part(path: Path) -> str:
    """Return what of a zip file written by torch is not as it was written, "" where all of it is.

    torch writes the CRC-32 of every part beside it, unpacked, and does not look at it when it reads. Raises OSError.
    """
    try:
        with open_given(path, largest=LARGEST_ANY) as file, zipfile.ZipFile(file) as parts:
            packed = next((part.filename for part in parts.infolist() if part.compress_type), "")
            return packed or parts.testzip() or ""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        return str(error) or "its list of parts"
