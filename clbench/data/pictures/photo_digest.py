"""Which pictures a table has, in one digest: the sizes of their files, and bytes of as many as a moment lets read."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from clbench.data.features.feature_file import find_features
from clbench.data.importers.direct import shards_of
from clbench.data.shards.shards import Shards
from clbench.data.table import LabelTable
from clbench.files.user_folders import cache_folder

SIZED, READ = 200_000, 2_048
"""So many files are asked for their size, and read: evenly spread over the table, or all where there are no more."""
BLOCK = 1 << 14
"""Bytes that are read of a file at its beginning, in its middle and at its end; all of a file that has no more."""


def pictures_digest(
    table: LabelTable, *, dataset: str, root: Path | None, options: Mapping[str, str], without: str = ""
) -> str:
    """Return the digest of a table's photos, or of its files of features; empty where none of them is there.

    Generated pictures have none: the table's revision says what they are. The photo of the image `without` is left out.
    """
    if root is None or table.name == "scenes":
        return ""
    if named := options.get("features", ""):
        # of what was unpacked into the cache, the file that was named
        paths = [file.source or file.path for file in find_features(root, named, name=Path(dataset).stem).files]
        return files_digest([path.name for path in paths], paths)
    rows = np.argsort(table.ids, kind="stable")[_spread(len(table), SIZED)]  # whatever the order of the table's rows
    if without:
        rows = rows[table.ids[rows] != without]
    if (shards := shards_of(dataset, root=root, options=options)) is not None:
        return _in_shards(shards, table, rows)
    return files_digest(table.ids[rows].tolist(), [root / path for path in table.paths[rows].tolist()])


def sampled_text(count: int) -> str:
    """Return how much of `count` photos the digest covers, where that is not all of them; else empty.

    >>> sampled_text(2048)
    ''
    >>> sampled_text(122_218)
    'a sample of its photos, the sizes of all 122,218 files and bytes of 2,048 of them'
    """
    if count <= READ:
        return ""
    sizes = f"all {count:,}" if count <= SIZED else f"{SIZED:,} of {count:,}"
    return f"a sample of its photos, the sizes of {sizes} files and bytes of {READ:,} of them"


def files_digest(names: Sequence[str], paths: Sequence[Path]) -> str:
    """Return one sha256 of files, each with its name, size and bytes; empty where none of them is there.

    What is no plain file counts as absent. It is kept under the sizes and times of the files, so that it takes a moment
    where nothing was written since.
    """
    stats = [_stat(path) for path in paths]
    if not any(stats):
        return ""
    stamps = [(s.st_size, s.st_mtime_ns, s.st_ctime_ns) if s else () for s in stats]
    sizes = [known.st_size if known else None for known in stats]

    def some(place: int, size: int) -> bytes:
        with paths[place].open("rb", buffering=0) as file:
            return _some_bytes(file, size)

    return _digest(repr([names, list(map(str, paths)), stamps]), names, sizes, some)


def _in_shards(shards: Shards, table: LabelTable, rows: npt.NDArray[np.int64]) -> str:
    """Return the digest that the same pictures would have as files of their own."""
    places = table.paths[rows].astype(np.int64)

    def some(place: int, size: int) -> bytes:
        return _some_bytes(io.BytesIO(shards.read(int(places[place]))), size)

    names = table.ids[rows].tolist()
    return _digest(repr([names, places.tolist(), shards.stamp]), names, shards.sizes[places].tolist(), some)


def _digest(stamp: str, names: Sequence[str], sizes: Sequence[int | None], some: Callable[[int, int], bytes]) -> str:
    """Return the digest of files of so many bytes (None: absent), `some(place, size)` being some of one's bytes."""
    kept = cache_folder() / "photos" / hashlib.sha256(stamp.encode()).hexdigest()
    if known := _kept(kept):
        return known
    sha, read = hashlib.sha256(), set(_spread(len(names), READ).tolist())
    for place, (name, size) in enumerate(zip(names, sizes, strict=True)):
        sha.update(f"{name}\n{'absent' if size is None else size}\n".encode())
        if size is not None and place in read:
            sha.update(some(place, size))
    found = sha.hexdigest()
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(_sealed(found), encoding="ascii")
    return found


def _kept(path: Path) -> str:
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="ascii", errors="replace")
        if text == _sealed(text[:64]):
            return text[:64]
    return ""


def _sealed(digest: str) -> str:
    return f"{digest} {hashlib.sha256(digest.encode()).hexdigest()}"


def _stat(path: Path) -> os.stat_result | None:
    """Return what is known of a plain file; whoever opens a pipe waits for somebody to write into it."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _some_bytes(file: IO[bytes], size: int) -> bytes:
    if size <= 3 * BLOCK:
        return file.read()
    parts = []
    for start in (0, (size - BLOCK) // 2, size - BLOCK):
        file.seek(start)
        parts.append(file.read(BLOCK))
    return b"".join(parts)


def _spread(count: int, most: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
