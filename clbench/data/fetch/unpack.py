"""Unpacking archives that were fetched from elsewhere: nothing leaves the folder, nothing of the user's is replaced."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from clbench.errors import DataError
from clbench.files.given import LARGEST_ANY, look_at
from clbench.files.room import RoomWatch
from clbench.files.whole_file import in_place_of

BLOCK = 1 << 20
MAX_FILES = 2_000_000
MAX_RATIO = 200  # label files of 0s and 1s shrink to a fiftieth; a bomb to a thousandth
TAR = (".tar", ".tar.gz", ".tgz")
MAX_HEADER = 64 << 10
MAX_DIRECTORY = 1 << 30
FREE = 100 << 20  # small archives may hold anything up to this many bytes


@dataclass(frozen=True)
class _Member:
    """One file of an archive: its path, its length, and how to open it."""

    path: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, *, into: Path, progress: Callable[[str, int, int], None] | None = None) -> int:
    """Unpack a zip or tar archive into a folder and return the number of files it holds.

    The whole list is checked before the first byte is written: paths that leave the folder, links, devices, encrypted
    or repeated members, and sizes out of proportion raise DataError. Each file appears only when it is complete. A file
    that is already there with the same content is left as it is; one with other content raises DataError.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        with _opened(archive) as members:
            _check_sizes(archive, members, into=into)
            home, room = into.resolve(), RoomWatch(into)
            done, total = 0, sum(member.size for member in members)
            for member in members:
                target = into / member.path
                _make_folder(target.parent, home=home, archive=archive)
                with member.open() as stream:
                    _write(stream, target=target, size=member.size, archive=archive, room=room)
                done += member.size
                if progress:
                    progress(f"unpacking {archive.name}", done, total)
            return len(members)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise DataError(
            f"{archive}: damaged or not an archive: {error}.", hint="Remove the file and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked into {into}: {error}.") from error


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    look_at(archive, largest=LARGEST_ANY)
    name = archive.name.lower()
    # where the name says which it is, the content is not asked: a tar may lie within what looks like a zip
    if name.endswith(TAR) or not (name.endswith(".zip") or zipfile.is_zipfile(archive)):
        with _tar(archive) as members:
            yield members
    else:
        _check_directory(archive)
        with zipfile.ZipFile(archive) as opened:
            yield _zip_members(archive, opened)


@contextmanager
def _tar(archive: Path) -> Iterator[list[_Member]]:
    with archive.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        plain: IO[bytes] = cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if packed else file
        headers = _Headers(plain)
        with tarfile.open(fileobj=headers, mode="r:") as opened:
            members = _tar_members(archive, opened)
            headers.listed = True
            yield members


def tar_places(archive: Path, *, most: int = 0) -> list[tuple[str, int, int]]:
    """Return (path, first byte, bytes) of every file in a tar that is not packed; only headers are read.

    With `most` no more than so many are looked at, and nothing behind them.

    What `unpack` refuses raises DataError here too, and so do a packed archive, a sparse member, and an archive that is
    cut: one without an end mark, and nothing behind it.
    """
    if not archive.is_file():
        raise DataError(f"{archive}: there is no such file.")
    try:
        with archive.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                raise DataError(
                    f"{archive} is packed, and is read by place.", hint=f"Unpack it first: gunzip {archive}"
                )
            file.seek(0)
            with tarfile.open(fileobj=_Headers(file), mode="r:") as opened:
                places = _tar_places(archive, opened, most=most)
            if most and len(places) == most:
                return places
            file.seek(opened.offset)
            rest = file.read(MAX_HEADER)
            if len(rest) < tarfile.BLOCKSIZE or rest.strip(b"\0") or file.read(1):
                raise ValueError(f"no end mark at byte {opened.offset:,}")
            return places
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(
            f"{archive}: cut, or not a tar archive: {error}.", hint="Remove the file and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(f"{archive} cannot be read ({error.strerror or error}).") from error


def _tar_places(archive: Path, opened: tarfile.TarFile, *, most: int) -> list[tuple[str, int, int]]:
    places, seen = [], set[str]()
    for info in opened:
        path = _safe(info.name, archive=archive)
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise DataError(f"{archive}: {info.name!r} is a link, a device or sparse, which no shard needs.")
        if path in seen:
            raise DataError(f"{archive}: {path!r} is in it twice.", hint="Write the shard again, each member once.")
        seen.add(path)
        if info.size < 0 or len(seen) > MAX_FILES:
            raise DataError(f"{archive}: member {len(seen):,} of {info.size:,} bytes, which no shard has.")
        places.append((path, info.offset_data, info.size))
        if len(places) == most:
            break
    return places


class _Headers(io.BufferedIOBase):
    """A tar file's bytes. Until its members are listed only headers are read, and each as long as it says of itself."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._read = 0
        self.listed = False

    def read(self, size: int | None = -1, /) -> bytes:
        size = -1 if size is None else size
        if not self.listed:
            self._read += size
            if not 0 <= size <= MAX_HEADER or self._read > MAX_DIRECTORY:
                raise ValueError(f"a header of {size} bytes, with {self._read:,} in all headers so far")
        return self._file.read(size)

    def seek(self, place: int, whence: int = 0, /) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def _check_directory(archive: Path) -> None:
    """Raise DataError where a zip file's list of members, which is read at once, is out of proportion."""
    with archive.open("rb") as file:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if end and (end[5] > MAX_DIRECTORY or end[4] > MAX_FILES):
        raise DataError(f"{archive}: its list of {end[4]:,} files takes {end[5]:,} bytes, which no data set needs.")


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> list[_Member]:
    members = []
    for info in opened.infolist():
        if info.flag_bits & 0x1:
            raise DataError(f"{archive}: {info.filename!r} is encrypted.")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{archive}: {info.filename!r} is a link or a device, which no data set needs.")
        path = _safe(info.filename, archive=archive)
        if not info.is_dir():
            members.append(_Member(path, info.file_size, lambda info=info: opened.open(info)))  # type: ignore[misc]
    return _once_each(archive, members)


def _tar_members(archive: Path, opened: tarfile.TarFile) -> list[_Member]:
    members = []
    total = 0
    for info in opened:
        path = _safe(info.name, archive=archive)
        if info.isdir():
            continue
        if not info.isreg():
            raise DataError(f"{archive}: {info.name!r} is a link or a device, which no data set needs.")
        members.append(_Member(path, info.size, lambda info=info: _tar_stream(opened, info)))  # type: ignore[misc]
        # checked on the way: going to the next header of a packed archive unpacks what lies between
        total += info.size
        _check_total(archive, count=len(members), total=total if info.size >= 0 else -1)
    return _once_each(archive, members)


def _tar_stream(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = opened.extractfile(info)
    if stream is None:
        raise ValueError(f"{info.name!r} has no content")
    return stream


def _safe(path: str, *, archive: Path) -> str:
    """Return the member's path without "./", or raise DataError when it could lead out of the folder."""
    plain = path.rstrip("/")
    while plain.startswith("./"):
        plain = plain[2:]
    parts = plain.split("/")
    if plain in ("", "."):
        return "."
    odd = "\\" in plain or "\0" in plain or ":" in parts[0] or any(part in ("", ".", "..") for part in parts)
    if odd or plain.startswith("/"):
        raise DataError(f"{archive}: {path!r} would be written outside the data folder.")
    return plain


def _once_each(archive: Path, members: list[_Member]) -> list[_Member]:
    seen: set[str] = set()
    for member in members:
        key = member.path.casefold()  # two names that are one file on some disks
        if key in seen or member.path == ".":
            raise DataError(f"{archive}: {member.path!r} is in it twice.")
        seen.add(key)
    return members


def _check_sizes(archive: Path, members: list[_Member], *, into: Path) -> None:
    total = sum(member.size for member in members)
    _check_total(archive, count=len(members), total=total)
    free = shutil.disk_usage(into).free
    need = sum(member.size for member in members if not os.path.lexists(into / member.path))
    if need > free:
        raise DataError(
            f"{into}: {archive.name} unpacks to {need / 1e9:.1f} GB more and {free / 1e9:.1f} GB are free.",
            hint="Free some space, or name another folder with --root.",
        )


def _check_total(archive: Path, *, count: int, total: int) -> None:
    packed = archive.stat().st_size
    if count > MAX_FILES:
        raise DataError(f"{archive}: more than {MAX_FILES:,} files.")
    if not 0 <= total <= max(packed * MAX_RATIO, FREE):
        raise DataError(f"{archive}: {packed:,} bytes would unpack to {total:,}, which no data set does.")


def _make_folder(folder: Path, *, home: Path, archive: Path) -> None:
    if not folder.resolve().is_relative_to(home):  # before anything is made on the other side of a link
        raise DataError(
            f"{archive}: {folder} is a link that leads out of {home}.", hint="Unpack into a folder without such links."
        )
    folder.mkdir(parents=True, exist_ok=True)


def _write(stream: IO[bytes], *, target: Path, size: int, archive: Path, room: RoomWatch) -> None:
    """Write a member through a file of its own that takes its place when it is complete."""
    if os.path.lexists(target):
        if target.is_file() and not target.is_symlink() and target.stat().st_size == size and _same(stream, target):
            return
        raise DataError(
            f"{target} is already there and is not what {archive.name} holds.", hint="Move it away and run it again."
        )
    with in_place_of(target, flush=False) as file:
        left = size
        while block := stream.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{target.name} is longer than the archive says")
            room.wrote(len(block))
            file.write(block)
        if left:
            raise ValueError(f"{target.name} is shorter than the archive says")


def _same(stream: IO[bytes], target: Path) -> bool:
    with target.open("rb") as file:
        while True:
            block = stream.read(BLOCK)
            if block != file.read(len(block) or 1):
                return False
            if not block:
                return True
