"""Label tables kept between runs: one file per table, trusted only while its sources are what they were."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.table import LabelTable
from clbench.errors import ClbenchError
from clbench.files.user_folders import cache_folder
from clbench.files.whole_file import in_place_of

log = logging.getLogger(__name__)

FORMAT = 2
RACY_NS = 2_000_000_000  # file clocks may tick as seldom as every two seconds

Stats = list[list[Any]]


def cached(key: Mapping[str, str], *, sources: Sequence[Path], build: Callable[[], LabelTable]) -> LabelTable:
    """Return what `build` returns, from the cache when `key` and every source are unchanged.

    `key` names the reader, its version, the folder and the options. A source file is unchanged when its size and times
    are, or else when its content is; a source folder when nothing was put into it or taken out. A damaged cache file is
    made again; a cache folder that cannot be written only costs time. Errors of `build` pass through.
    """
    text = json.dumps({"format": FORMAT, **key}, sort_keys=True)
    path = cache_folder() / "tables" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"
    before = _stats(sources)
    stored = _load(path, key=text)
    if stored is not None:
        table, head = stored
        if head["stats"] == before and not _racy(before, written=head["written"]):
            return table
        if head["contents"] == _contents(sources) and all(entry[1] is not None for entry in before):
            _store(path, table, head={**head, "stats": before, "written": time.time_ns()})
            return table
    table = build()
    contents = _contents(sources)
    if _stats(sources) == before:  # what changes while it is read is not worth keeping
        head = {"key": text, "stats": before, "contents": contents, "written": time.time_ns()}
        _store(path, table, head={**head, "digest": table.digest()})
    return table


def _stats(sources: Sequence[Path]) -> Stats:
    found: Stats = []
    for source in sources:
        try:
            stat = source.stat()
        except OSError:
            found.append([str(source), None])
            continue
        # the change time catches a file that was rewritten and given its old modification time back
        found.append([str(source), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns])
    return found


def _racy(stats: Stats, *, written: int) -> bool:
    """Say whether a source was touched so shortly before the cache was written that its clock cannot tell."""
    times = [time_ns for entry in stats for time_ns in entry[2:]]
    return bool(times) and max(times) > written - RACY_NS


def _contents(sources: Sequence[Path]) -> list[str]:
    return [_content(source) for source in sources]


def _content(source: Path) -> str:
    hasher = hashlib.sha256()
    try:
        if source.is_dir():
            # names, not bytes: pixels are no part of a table
            with os.scandir(source) as entries:
                hasher.update("\0".join(sorted(entry.name for entry in entries)).encode("utf-8", "surrogateescape"))
        else:
            with source.open("rb") as file:
                while block := file.read(1 << 20):
                    hasher.update(block)
    except OSError:
        return ""
    return hasher.hexdigest()


def _load(path: Path, *, key: str) -> tuple[LabelTable, dict[str, Any]] | None:
    """Return the table and its head, or None when there is no file, or not one that can be trusted."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            head: dict[str, Any] = json.loads(_text(arrays["head"]))
            if head["key"] != key:
                return None
            table = LabelTable(
                name=head["name"],
                revision=head["revision"],
                labels=tuple(head["labels"]),
                ids=_unpack(arrays["ids"]),
                paths=_unpack(arrays["paths"]),
                y=arrays["y"],
                member=arrays["member"],
                split=np.where(arrays["test"], "test", "train"),
                notes=tuple(head["notes"]),
            )
        if table.digest() != head["digest"] or _paths_digest(table) != head["paths"]:
            raise ValueError("its content is not what was written")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, RuntimeError) as error:
        log.info("the table cache %s is not usable and will be made again: %s", path, error)
        return None
    except (zipfile.BadZipFile, ClbenchError, MemoryError, SyntaxError, OverflowError) as error:
        log.info("the table cache %s is damaged and will be made again: %s", path, error)
        return None
    return table, head


def _store(path: Path, table: LabelTable, *, head: Mapping[str, Any]) -> None:
    whole = {**head, "name": table.name, "revision": table.revision, "labels": table.labels, "notes": table.notes}
    whole["paths"] = _paths_digest(table)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path) as file:  # readers see the old file or the new one, never half of it
            np.savez(
                file,
                head=_bytes(json.dumps(whole)),
                ids=_bytes("\n".join(table.ids.tolist())),
                paths=_bytes("\n".join(table.paths.tolist())),
                y=table.y,
                member=table.member,
                test=table.split == "test",
            )
    except OSError as error:
        log.warning("the label table is not kept for the next run: %s", error)


def _paths_digest(table: LabelTable) -> str:
    return hashlib.sha256("\n".join(table.paths.tolist()).encode()).hexdigest()


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _text(array: npt.NDArray[np.uint8]) -> str:
    return array.tobytes().decode()


def _unpack(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.str_]:
    # no id or path holds a line break: LabelTable refuses control characters
    return np.array(_text(array).split("\n"), dtype=np.str_)
