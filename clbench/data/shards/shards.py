"""All shards of a data set as one row of pictures, found by name or by place."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option
from clbench.data.shards.named_files import files_named
from clbench.data.shards.parquet_shard import read_parquet
from clbench.data.shards.shard import ENDINGS, Shard, as_bytes
from clbench.data.shards.tar_shard import read_tar
from clbench.errors import DataError, UsageError
from clbench.files.cache_lock import made_once
from clbench.files.user_folders import cache_folder
from clbench.files.whole_file import in_place_of

log = logging.getLogger(__name__)

SHARDS = Option(
    "shards",
    "",
    "tars (WebDataset) or Parquet files that hold the photos, relative to the table: `train-{000..099}.tar`, `*.tar`, "
    "`*.parquet#COLUMN`; `file` is then the name or the key of a member",
    kind="text",
)
UNNAMED = Option(
    "unnamed", "refuse", "with shards: what to do with pictures that no row names", ("refuse", "drop"), content=False
)
VERSION = 1
BLOCK = 1 << 20
"""Bytes of a shard that are asked for together where shards are read from end to end."""
ASKED, OPEN = 4096, 64
"""So many blocks are remembered, and so many files stay open."""
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Shards:
    """The pictures of all shards, those of each in the order in which they lie there; a row is a place among all."""

    shards: tuple[Shard, ...]
    stamp: str
    """What changes when a file does."""
    _open: dict[int, int] = field(default_factory=dict, repr=False, compare=False)
    _asked: set[tuple[int, int]] = field(default_factory=set, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.ends[-1])

    @cached_property
    def ends(self) -> Rows:
        """The row behind the last of each shard, [shards]."""
        return np.cumsum([len(shard) for shard in self.shards], dtype=np.int64)

    @cached_property
    def sizes(self) -> Rows:
        """Bytes of each picture, [n]."""
        return np.concatenate([shard.sizes for shard in self.shards])

    def which(self, rows: Rows) -> Rows:
        """Return in which shard each of `rows` lies, [n]."""
        found: Rows = np.searchsorted(self.ends, rows, side="right").astype(np.int64)
        return found

    def place(self, row: int) -> str:
        """Return what messages call a picture: the shard, and its name in it."""
        shard, at = self._at(row)
        return f"{shard.source}: {shard.names[at].decode()}"

    def read(self, row: int, *, ahead: bool = False) -> bytes:
        """Return the bytes of a picture; `ahead` says that those around it will be wanted next.

        Raises DataError where the shard has become another, or what was unpacked is not what was written.
        """
        number = int(np.searchsorted(self.ends, row, side="right"))
        shard, at = self._at(row)
        begin, length = int(shard.first[at]), int(shard.sizes[at])
        try:
            handle = self._opened(number)
            if ahead:
                self._ask_for(handle, number, begin, length)
            data = _read_at(handle, begin, length)
        except OSError as error:
            raise DataError(f"{self.place(row)}: cannot be read ({error.strerror or error}).") from error
        if len(data) < length or (len(shard.checks) and zlib.crc32(data) != int(shard.checks[at])):
            hint = "The shard was changed or damaged: fetch it again."
            if shard.file != shard.source:
                with contextlib.suppress(OSError):
                    shard.file.unlink()
                hint = "It was removed and is made again: run the same command again."
            raise DataError(f"{self.place(row)}: is not in {shard.file} any more as it was.", hint=hint)
        return data

    def rows_of(self, files: Sequence[str]) -> Rows:
        """Return the row of each file's picture, -1 where there is none, [n]; without an ending it is a key."""
        wanted = as_bytes(files)
        whole = np.array([name.lower().endswith(tuple(f".{one}" for one in ENDINGS)) for name in files], dtype=np.bool_)
        found = np.full(len(files), -1, dtype=np.int64)
        for chosen, field_name in ((whole, "names"), (~whole, "keys")):
            if chosen.any():
                held = np.concatenate([getattr(shard, field_name) for shard in self.shards])
                order = np.argsort(held, kind="stable")
                near = order[np.minimum(np.searchsorted(held, wanted[chosen], sorter=order), len(held) - 1)]
                found[chosen] = np.where(held[near] == wanted[chosen], near, -1)
        return found

    def _at(self, row: int) -> tuple[Shard, int]:
        number = int(np.searchsorted(self.ends, row, side="right"))
        return self.shards[number], row - (int(self.ends[number - 1]) if number else 0)

    def _opened(self, number: int) -> int:
        handle = self._open.pop(number, None)
        if handle is None:
            if len(self._open) >= OPEN:
                os.close(self._open.pop(next(iter(self._open))))  # the one that was not wanted for longest
            handle = os.open(self.shards[number].file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._open[number] = handle
        return handle

    def _ask_for(self, handle: int, number: int, begin: int, length: int) -> None:
        """Let the system read whole blocks where a picture lies; the pictures around it are found in memory then."""
        if not hasattr(os, "posix_fadvise"):
            return
        if len(self._asked) > ASKED:
            self._asked.clear()
        for block in range(begin // BLOCK, (begin + length) // BLOCK + 1):
            if (number, block) not in self._asked:
                self._asked.add((number, block))
                os.posix_fadvise(handle, block * BLOCK, BLOCK, os.POSIX_FADV_WILLNEED)

    def __getstate__(self) -> dict[str, object]:
        # another process opens the files itself
        return {"shards": self.shards, "stamp": self.stamp, "_open": {}, "_asked": set()}

    def __del__(self) -> None:
        for handle in self._open.values():
            with contextlib.suppress(OSError):
                os.close(handle)


def find_shards(root: Path, named: str, *, name: str) -> Shards:
    """Return the shards that the option `shards` of table `name` means, `named` being relative to `root`.

    What is in them is looked up once and kept in the cache. Raises DataError for a shard that is missing, cut or
    damaged, a key that is there twice; UsageError for files of two kinds.
    """
    names, _, column = named.partition("#")
    paths = files_named(root, names, what=f"{name}: option shards")
    kinds = {path.suffix.lower() for path in paths}
    if len(kinds) > 1 or not kinds <= {".tar", ".parquet"}:
        raise UsageError(
            f"{name}: option shards is '{named}': {', '.join(sorted(kinds))} files, expected .tar or .parquet."
        )
    if column and kinds != {".parquet"}:
        raise UsageError(f"{name}: option shards is '{named}': only Parquet has columns.")
    try:
        return shards_at(paths, column=column)
    except DataError as error:
        raise DataError(f"{name}: {error.message}", hint=error.hint) from error


def shards_at(paths: Sequence[Path], *, column: str = "", named: bool = True) -> Shards:
    """Return the shards in these files; raises as `find_shards` does. Unless `named`, rows of Parquet have no names."""
    what = column if named else f"{column} by row"
    shards = [_kept(path, column, named=named) for path in paths]
    stamp = hashlib.sha256("\n".join(_stamp(path, what) for path in paths).encode()).hexdigest()
    found = Shards(tuple(shards), stamp)
    if named:
        _check_once(found)
    return found


def refuse_absent_from(shards: Shards, absent: Sequence[str], *, count: int, name: str) -> NoReturn:
    """Raise DataError naming the pictures that no shard holds, of `count` rows of table `name`."""
    shown = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
    raise DataError(
        f"{name}: {len(absent):,} of {count:,} photos are in none of {len(shards.shards):,} shards "
        f"({len(shards):,} pictures, the first {shards.place(0)}): {shown}.",
        hint="A row names a member (a/b.jpg) or its key (a/b). To leave such rows out: the option missing=0.01.",
    )


def refuse_unnamed(shards: Shards, files: Sequence[str], *, name: str) -> None:
    """Raise DataError where shards hold pictures that none of `files` names."""
    named = np.zeros(len(shards), dtype=np.bool_)
    found = shards.rows_of(files)
    named[found[found >= 0]] = True
    left = np.flatnonzero(~named)
    if len(left):
        raise DataError(
            f"{name}: {len(left):,} of {len(shards):,} pictures in shards have no row, the first "
            f"{shards.place(int(left[0]))}.",
            hint="Give them rows, or leave them out with the option unnamed=drop.",
        )


def _check_once(shards: Shards) -> None:
    keys = np.concatenate([shard.keys for shard in shards.shards])
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    if len(same):
        one, other = (shards.place(int(order[same[0] + step])) for step in (0, 1))
        raise DataError(
            f"the key {keys[order[same[0]]].decode()!r} is there twice: {one}, and {other}.",
            hint="Name each shard once; keys are of one picture in all of them.",
        )


def _stamp(path: Path, column: str) -> str:
    stat = path.stat()
    return f"{VERSION} {path.resolve()} {column} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _kept(path: Path, column: str, *, named: bool) -> Shard:
    """Return what is in a shard, as it was found when the file was looked at first."""
    key = hashlib.sha256(_stamp(path, column if named else f"{column} by row").encode()).hexdigest()
    kept = cache_folder() / "shards" / f"{path.stem[:60]}-{key[:24]}.npz"
    unpacked = kept.with_suffix(".pictures")
    packed = path.suffix.lower() == ".parquet"
    known = _known(path, kept, key, unpacked=unpacked if packed else None)
    if known is not None:
        return known
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with made_once(kept) if packed else contextlib.nullcontext():  # of several runs one unpacks it
            known = _known(path, kept, key, unpacked=unpacked) if packed else None
            if known is not None:
                return known
            shard = read_parquet(path, column=column, to=unpacked, named=named) if packed else read_tar(path)
            with in_place_of(kept) as file:
                np.savez(file, key=np.array(key), **{part: getattr(shard, part) for part in _PARTS})
    except OSError as error:
        if packed:
            raise DataError(f"{kept.parent}: cannot be written ({error.strerror or error}).") from error
        log.warning("what is in %s is not kept for the next run: %s", path.name, error)
        shard = read_tar(path)
    return shard


def _known(path: Path, kept: Path, key: str, *, unpacked: Path | None) -> Shard | None:
    """Return what was found in a shard before, None where that is not there any more."""
    stored = _load(kept, key)
    if stored is None:
        return None
    shard = Shard(path, unpacked or path, *stored)
    if unpacked is None or (unpacked.is_file() and unpacked.stat().st_size == int(shard.sizes.sum())):
        return shard
    return None


_PARTS = ("names", "keys", "first", "sizes", "checks")


def _load(path: Path, key: str) -> list[Any] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["key"]) == key:
                return [arrays[part] for part in _PARTS]
    except FileNotFoundError:
        return None
    except Exception as error:  # a damaged archive raises whatever its reader stumbles over
        log.info("%s is damaged and will be made again: %s", path, error)
    return None


def _read_at(handle: int, begin: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, length, begin)
    os.lseek(handle, begin, os.SEEK_SET)
    return os.read(handle, length)
