"""Fetching one file over HTTP: resumed where it broke off, checked before it appears, several addresses tried.

The standard library does all that is needed here (ranges, redirects, proxies); a library would add a dependency for a
hundred lines.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import logging
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clbench.data.datasets.dataset import Source
from clbench.errors import DataError
from clbench.files.room import MARGIN, RoomWatch
from clbench.files.whole_file import move

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total); total is 0 where it is not known."""

BLOCK = 1 << 20
TIMEOUT = 30.0
ATTEMPTS = 6
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
LEAST = 64 << 10
"""Bytes that have to arrive within STALL seconds, and the least that an attempt must bring to count as progress."""
STALL = 60.0


class _BrokenError(Exception):
    """The connection or the answer was bad; asking again may help."""


class _RefusedError(Exception):
    """This address will not give the file."""


def fetch(source: Source, *, target: Path, progress: Progress | None = None, pause: float = 1.0) -> None:
    """Put the file of `source` at `target`, which appears only when its length and checksum are right.

    What arrived is kept in `target`.part and continued by the next call. `pause` is the wait in seconds before the
    second attempt at an address; it doubles. Raises DataError naming every address and what was wrong with it.
    """
    part = target.with_name(target.name + ".part")
    note = target.with_name(target.name + ".part.json")
    failures: list[str] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(target.parent, error) from error
    with _alone(target):
        for url in source.urls:
            earlier = _size(part) > 0
            try:
                _from(url, source=source, part=part, note=note, progress=progress, pause=pause)
                wrong = _wrong(part, source)
                if wrong and (earlier or _continued(note)):
                    # the beginning came from an earlier call or another address: once more, from the start
                    _discard(part, note)
                    _from(url, source=source, part=part, note=note, progress=progress, pause=pause)
                    wrong = _wrong(part, source)
                if wrong:
                    _discard(part, note)
                    raise _RefusedError(wrong)
            except (_RefusedError, _BrokenError) as error:
                failures.append(f"{url}: {error}")
                log.info("no download from %s: %s", url, error)
                continue
            try:
                move(part, target)
                note.unlink(missing_ok=True)
            except OSError as error:
                raise _unwritable(target, error) from error
            return
    raise DataError(
        f"{source.file} could not be fetched. " + "; ".join(failures) + ".",
        hint=f"Try again later (what arrived is kept), or put the file at {target} yourself.",
    )


def _from(url: str, *, source: Source, part: Path, note: Path, progress: Progress | None, pause: float) -> None:
    """Bring `part` to its full length from one address; an attempt that brought much starts the count anew.

    Much is a thousandth of the file: a server that gives a few bytes each time would keep this busy for ever.
    """
    if not url.startswith(("https://", "http://")):
        raise _RefusedError("not an address of the web")
    attempt = 0
    while True:
        before = _size(part)
        try:
            _once(url, source=source, part=part, note=note, progress=progress)
            return
        except _BrokenError as error:
            much = max(LEAST, (source.bytes or 1000 * BLOCK) // 1000)
            attempt = 1 if _size(part) - before >= much else attempt + 1
            if attempt >= ATTEMPTS:
                raise
            log.info("%s: %s; attempt %d", url, error, attempt + 1)
            time.sleep(pause * 2 ** (attempt - 1))


def _once(url: str, *, source: Source, part: Path, note: Path, progress: Progress | None) -> None:
    known = _read(note)
    if not source.checksum and (known.get("url") != url or not known.get("tag")):
        _discard(part, note)  # nothing could tell afterwards that the halves of two files do not fit
    start = _size(part)
    if source.bytes and start >= source.bytes:
        if start == source.bytes:
            return
        _discard(part, note)
        start = 0
    headers = {"User-Agent": "clbench", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known.get("url") == url and known.get("tag"):
            headers["If-Range"] = known["tag"]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:  # noqa: S310
            total = _begin(answer, url=url, source=source, part=part, note=note)
            _pour(answer, part=part, total=total, what=source.file, progress=progress, limit=source.bytes)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to send: the part is complete, or longer than the file is today
            if error.headers.get("Content-Range", "") == f"bytes */{start}":
                return
            _discard(part, note)
            raise _BrokenError("the server has no such range") from error
        raise (_BrokenError if error.code in TRANSIENT else _RefusedError)(
            f"HTTP {error.code} {error.reason}"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise DataError(f"{part}: no space left on the disk.", hint="Free some space and run it again.") from error
        if isinstance(error, PermissionError) and error.filename:
            raise _unwritable(part, error) from error
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise _BrokenError(str(reason)) from error


def _begin(answer: Any, *, url: str, source: Source, part: Path, note: Path) -> int:
    """Prepare `part` for the answer's bytes and return the length of the whole file, 0 where nobody says."""
    start = _size(part)
    length = int(answer.headers.get("Content-Length") or 0)
    tag = answer.headers.get("ETag", "")
    strong = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    if answer.status == 206:
        known = _read(note)
        if known.get("url") == url and known.get("tag") and strong and strong != known["tag"]:
            _discard(part, note)  # it was asked to begin anew in that case
            raise _BrokenError("the file there is another one than it was when this began")
        first, total = _range(answer.headers.get("Content-Range", ""))
        if first != start:
            _discard(part, note)
            raise _BrokenError(f"the server continued at byte {first} instead of {start}")
    else:  # the server ignores ranges, or the file changed
        _discard(part, note)
        start, total = 0, length
    if source.bytes and total and total != source.bytes:
        raise _RefusedError(f"it has {total:,} bytes, expected {source.bytes:,}")
    need = (source.bytes or total) - start
    free = shutil.disk_usage(part.parent).free
    if need + MARGIN > free:
        raise DataError(
            f"{part.parent}: {source.file} needs {need / 1e9:.1f} GB more and {free / 1e9:.1f} GB are free.",
            hint="Free some space, or name another folder with --root.",
        )
    note.write_text(json.dumps({"url": url, "tag": strong, "continued": start > 0}))
    return total


def _pour(answer: Any, *, part: Path, total: int, what: str, progress: Progress | None, limit: int) -> None:
    done = _size(part)
    room, begun, arrived = RoomWatch(part.parent), time.monotonic(), 0
    with part.open("ab") as file:
        while block := answer.read1(BLOCK):  # what has come, not a whole block: a trickle would take hours
            room.wrote(len(block))
            file.write(block)
            done += len(block)
            arrived += len(block)
            if time.monotonic() - begun > STALL:
                if arrived < LEAST:
                    raise _BrokenError(f"{arrived:,} bytes arrived in {STALL:.0f} s")
                begun, arrived = time.monotonic(), 0
            if limit and done > limit:
                raise _RefusedError(f"it has more than {limit:,} bytes")
            if progress:
                progress(what, done, total or limit)
    if (total or limit) and done < (total or limit):
        raise _BrokenError(f"it ended after {done:,} of {total or limit:,} bytes")


def _wrong(part: Path, source: Source) -> str:
    """Return what is wrong with the length or the checksum, or an empty text."""
    size = _size(part)
    if source.bytes and size != source.bytes:
        return f"it has {size:,} bytes, expected {source.bytes:,}"
    if source.checksum and (found := digest(part, kind=source.checksum.partition(":")[0])) != source.checksum:
        return f"its checksum is {found}, expected {source.checksum}"
    return "" if size else "it is empty"


def digest(path: Path, *, kind: str) -> str:
    """Return "md5:..." or "sha256:..." of a file."""
    hasher = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hasher.update(block)
    return f"{kind}:{hasher.hexdigest()}"


def _range(header: str) -> tuple[int, int]:
    """Return the first byte and the total of "bytes 10-19/20"."""
    try:
        span, _, total = header.removeprefix("bytes ").partition("/")
        return int(span.partition("-")[0]), int(total) if total != "*" else 0
    except ValueError as error:
        raise _BrokenError(f"the server's range reads {header!r}") from error


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path}: cannot be written ({error.strerror}).",
        hint="Name a folder of your own with --root, or ask whose it is for write access.",
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Hold the one right to fetch `target`: two processes would write the same part."""
    from filelock import FileLock, Timeout

    place = Path(f"{target}.lock")
    lock = FileLock(str(place))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DataError(f"{target}: another process is fetching it.", hint="Wait for it, or end it.") from error
    except OSError as error:
        raise _unwritable(place, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # an open file cannot be removed everywhere
            place.unlink(missing_ok=True)
        lock.release()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _continued(note: Path) -> bool:
    return bool(_read(note).get("continued"))


def _discard(part: Path, note: Path) -> None:
    part.unlink(missing_ok=True)
    note.unlink(missing_ok=True)
