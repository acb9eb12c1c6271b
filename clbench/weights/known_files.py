"""SHA-256 of weights files, and which file on this machine has one."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from clbench.errors import ResultsError
from clbench.files.given import LARGEST_ANY, open_given
from clbench.files.sealed_json import sealed, unsealed
from clbench.files.user_folders import cache_folder
from clbench.files.whole_file import in_place_of

KINDS = (".pth", ".pt", ".bin", ".safetensors")
_CHUNK = 1 << 22


class Known(msgspec.Struct, frozen=True):
    """A file as it was when its digest was computed."""

    size: int
    changed: int
    """Nanoseconds, of the file system."""
    sha256: str


def weights_folder() -> Path:
    """Return the folder in which weights files are looked for by their digest: `weights` in the cache folder."""
    return cache_folder() / "weights"


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, remembered for as long as its size and time stay. Raises OSError."""
    path = path.resolve()
    status = path.stat()
    known = _remembered()
    found = known.get(str(path))
    if found is not None and (found.size, found.changed) == (status.st_size, status.st_mtime_ns):
        return found.sha256
    hasher = hashlib.sha256()
    with open_given(path, largest=LARGEST_ANY) as file:
        while part := file.read(_CHUNK):
            hasher.update(part)
    _remember(known | {str(path): Known(status.st_size, status.st_mtime_ns, hasher.hexdigest())})
    return hasher.hexdigest()


def file_with(sha256: str) -> Path | None:
    """Return a file with that digest, of those that were used here before or lie in `weights_folder`."""
    return next((path for path, digest in known_files() if digest == sha256), None)


def known_files() -> Iterator[tuple[Path, str]]:
    """Yield (path, sha256) of every weights file that was used here before and of those in `weights_folder`."""
    there = sorted(path for path in weights_folder().glob("*") if path.suffix in KINDS)
    for path in dict.fromkeys([*map(Path, _remembered()), *(path.resolve() for path in there)]):
        with contextlib.suppress(OSError):  # moved or deleted since
            yield path, sha256_of(path)


def _index() -> Path:
    return weights_folder() / "files.json"


def _remembered() -> dict[str, Known]:
    try:
        return msgspec.convert(unsealed(_index().read_bytes()), dict[str, Known])
    except (OSError, msgspec.ValidationError, ResultsError):  # what is lost is computed again
        return {}


def _remember(known: dict[str, Known]) -> None:
    with contextlib.suppress(OSError):
        _index().parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(_index(), flush=False) as file:
            file.write(sealed(known))
