"""Score files: written block by block into a file beside, with their digest, and found whole again by it."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from clbench.errors import ResultsError
from clbench.files.file_digest import file_sha256
from clbench.files.whole_file import cannot_be_written, in_place_of
from clbench.metrics.rules import Ranking
from clbench.train.resume.progress import Progress

AT_ONCE = 1 << 20
"""Scores of a matrix that are written and digested together, 4 MiB, while they are near the processor."""
WHAT = "the score matrix"


class ScoreFile:
    """A score file while it is written: as `np.save` writes the whole matrix, float32 [images, labels]."""

    def __init__(self, path: Path, file: BinaryIO, *, images: int, labels: int) -> None:
        self._path, self._file, self._digest = path, file, hashlib.sha256()
        header = io.BytesIO()
        kind = np.lib.format.dtype_to_descr(np.dtype(np.float32))
        np.lib.format.write_array_header_1_0(header, {"descr": kind, "fortran_order": False, "shape": (images, labels)})
        self._write(header.getbuffer())

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._digest.hexdigest()

    def add(self, scores: npt.NDArray[np.float32]) -> None:
        """Write the next images: scores [n, labels]. Raises ResultsError where the disk does not take them."""
        step = max(AT_ONCE // max(scores.shape[1], 1), 1)
        for first in range(0, len(scores), step):
            self._write(np.ascontiguousarray(scores[first : first + step], dtype=np.float32).data.cast("B"))

    def _write(self, block: memoryview) -> None:
        with cannot_be_written(self._path, what=WHAT):
            self._file.write(block)
        self._digest.update(block)


@contextlib.contextmanager
def written(folder: Path, *, session: int, kind: Ranking | None, images: int, labels: int) -> Iterator[ScoreFile]:
    """Give the score file of a session to write; it takes its place when the body ends, and is gone if that fails.

    Errors of the body pass as they are; ResultsError tells of the file's own.
    """
    path = folder / file_name(session, kind=kind)
    with contextlib.ExitStack() as closing:
        with cannot_be_written(path, what=WHAT):
            file = closing.enter_context(in_place_of(path))
        yield ScoreFile(path, file, images=images, labels=labels)
        with cannot_be_written(path, what=WHAT):
            closing.close()


def file_name(session: int, *, kind: Ranking | None) -> str:
    """Return what the score file of a session is called; those of protocol 1 did not say what `kind` they hold."""
    return f"scores-{session}.{kind}.npy" if kind else f"scores-{session}.npy"


def entry(session: int, *, kind: Ranking | None, sha256: str) -> dict[str, Any]:
    """Return what the record says of a session's score file."""
    found = {"session": session, "file": file_name(session, kind=kind), "sha256": sha256}
    return found | ({"kind": kind} if kind else {})


def check_scores(progress: Progress, *, folder: Path) -> None:
    """Raise ResultsError unless the score files of all finished sessions are what was written."""
    for done in (one for one in progress.done if one.scores):
        path = folder / done.scores["file"]
        if not path.is_file() or file_sha256(path) != done.scores["sha256"]:
            raise ResultsError(
                f"{path}: the scores of a finished session are {'changed' if path.is_file() else 'gone'}.",
                hint="Start afresh with --no-resume.",
            )
