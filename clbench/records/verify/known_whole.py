"""Verification that remembers which texts it found whole, so that a thousand records need not be checked every time."""

from __future__ import annotations

import hashlib
import logging
import platform
import re
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from clbench import metrics
from clbench.errors import ResultsError
from clbench.records.record import parse_record, read_bytes
from clbench.records.verify.findings import Verification
from clbench.records.verify.verify import verify, verify_text
from clbench.spec import scenario as spec

log = logging.getLogger(__name__)

MOST = 200_000
"""Verdicts that one file keeps; beyond it begins anew."""

_DIGEST = re.compile(rb"[0-9a-f]{64}\Z")


class Verdicts:
    """What was found whole before, kept in `folder`, a folder of this user that can be deleted at any time.

    Kept is the sha256 of a record's bytes, and only where verification found nothing, in a file named by the digest of
    the code that verifies. A record of which one byte differs, and any record under other rules, is verified as if for
    the first time. Where the folder cannot be read or written, everything is verified.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{rules()[:32]}.txt"
        self._whole = self._read()
        self._new: list[bytes] = []

    def check(self, path: Path) -> Verification:
        """Verify the record in a file, as `verify.verify` does."""
        try:
            text = read_bytes(path)
        except ResultsError:
            return verify(path)
        digest = hashlib.sha256(text).hexdigest().encode()
        if digest in self._whole:
            return Verification(path, "consistent", (), parse_record(text, source=str(path)))
        found = verify_text(text, path=path)
        if found.ok:
            self._whole.add(digest)
            self._new.append(digest)
        return found

    def save(self) -> None:
        """Keep what was found since the last time; other processes may do so at the same moment."""
        if not self._new:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("wb" if len(self._whole) > MOST else "ab") as stream:
                # the newline in front ends what a killed process left unfinished
                stream.write(b"\n" + b"\n".join(self._new) + b"\n")
        except OSError as error:
            log.debug("%s: verdicts are not kept (%s)", self._path, error)
        self._new.clear()

    def _read(self) -> set[bytes]:
        try:
            lines = self._path.read_bytes().split()
        except OSError:
            return set()
        return {line for line in lines if _DIGEST.match(line)}


@cache
def rules() -> str:
    """Return the digest of everything that decides whether a record is whole: this code and what computes for it."""
    digest = hashlib.sha256()
    for name in (platform.python_version(), np.__version__, msgspec.__version__):
        digest.update(f"{name}\n".encode())
    folders = (Path(__file__).parent, Path(__file__).parents[1], *map(Path, metrics.__path__))
    for path in (*sorted(file for folder in folders for file in folder.glob("*.py")), Path(spec.__file__)):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
