"""A Parquet file with a column of encoded pictures, unpacked once into the cache.

A row cannot be read by its place without decoding its whole row group. The pictures are written, end to end and in
their order, to a file of their own, and read from there as from a tar.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from clbench.data.parquet_file import batches, open_parquet
from clbench.data.shards.shard import ENDINGS, MAX_BYTES, Shard, as_bytes, check_pictures, split_name
from clbench.errors import DataError, suggest
from clbench.files.room import RoomWatch
from clbench.files.whole_file import whole_file

KEYS = ("__key__", "key", "file_name", "file", "path", "id", "image_id")
"""Columns that name the picture of a row, the first that is there. Without one, what the picture's own path says."""
ROWS = 16
"""Rows that are decoded together."""


def read_parquet(path: Path, *, column: str, to: Path, named: bool = True) -> Shard:
    """Return the pictures of a Parquet file, written to the file `to`.

    `column` is the column of pictures (bytes, or as Hugging Face has them), empty where there is one. Unless `named`
    pictures are called by their rows. Raises DataError
    for a file that is cut, a row without a picture, a key that is there twice, and where the disk is all but full.
    """
    opened = open_parquet(path)
    column = column or _only(path, opened)
    if column not in opened.schema_arrow.names:
        raise DataError(
            f"{path}: there is no column '{column}'.{suggest(column, opened.schema_arrow.names)}",
            hint=f"There is: {', '.join(opened.schema_arrow.names)}.",
        )
    names, keys, sizes, checks = list[str](), list[str](), list[int](), list[int]()
    room = RoomWatch(to.parent)
    with whole_file(to, what="the pictures of a Parquet file") as out:
        for key, data in _rows(path, opened, column):
            row = len(names)
            if not 0 < len(data) <= MAX_BYTES:
                what = f"{len(data):,} bytes, at most {MAX_BYTES:,} are read" if data else "no picture"
                raise DataError(
                    f"{path}: column '{column}', row {row:,}: {what}.",
                    hint="Leave the row out, and write the file again.",
                )
            names.append((named and key) or f"{path.stem}_{row:06d}")
            stem, ending = split_name(names[-1])
            keys.append(stem if ending in ENDINGS else names[-1])
            sizes.append(len(data))
            checks.append(zlib.crc32(data))
            room.wrote(len(data))
            out.write(data)
        check_pictures(path, names, keys, sizes)
    ends = np.cumsum(sizes, dtype=np.int64)
    return Shard(
        source=path,
        file=to,
        names=as_bytes(names),
        keys=as_bytes(keys),
        first=ends - np.array(sizes, dtype=np.int64),
        sizes=np.array(sizes, dtype=np.int64),
        checks=np.array(checks, dtype=np.uint32),
    )


def _only(path: Path, opened: Any) -> str:
    """Return the only column that can hold pictures."""
    from pyarrow import types

    def holds(kind: Any) -> bool:
        if types.is_struct(kind):
            return any(field.name == "bytes" and holds(field.type) for field in kind)
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    found = [field.name for field in opened.schema_arrow if holds(field.type)]
    if len(found) != 1:
        raise DataError(
            f"{path} has {len(found)} columns of bytes: {', '.join(found) or ', '.join(opened.schema_arrow.names)}.",
            hint=f"Name that of the pictures: shards: '{path.name}#COLUMN'",
        )
    return str(found[0])


def _rows(path: Path, opened: Any, column: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each row, empty where nothing names it, and its picture."""
    key = next((name for name in KEYS if name in opened.schema_arrow.names and name != column), "")
    for batch in batches(path, opened, columns=[column, *([key] if key else [])], size=ROWS):
        for row in batch.to_pylist():
            value, named = row[column], "" if not key else row[key]
            if isinstance(value, dict):
                named = named or PurePosixPath(value.get("path") or "").name
                value = value.get("bytes")
            if value is not None and not isinstance(value, bytes):
                raise DataError(f"{path}: column '{column}' holds no bytes.")
            yield str(named if named is not None else ""), value or b""
