"""Who remembers, out of a strategy's reach, what a run has written: the digest of every score file when it was new."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from clbench.errors import RunError
from clbench.files.file_digest import file_sha256

_REMEMBERS = """
import sys
noted = {}
for line in sys.stdin:
    name, _, digest = line.strip().partition(" ")
    if not name:
        print(*(f"{name} {digest}" for name, digest in noted.items()), "", sep="\\n", flush=True)
    else:
        noted.setdefault(name, digest)
"""


class ChangedScoresError(RunError):
    """A score file, or its digest, is no longer what it was when the file was written."""


class Witness(Protocol):
    """Remembers for every score file the digest that it was told first."""

    def note(self, name: str, digest: str) -> None:
        """Take the digest of a file that was just written."""

    def noted(self) -> dict[str, str]:
        """Return file name -> digest."""


class _Process:
    """A process that has imported nothing, least of all the strategy."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def note(self, name: str, digest: str) -> None:
        self._say(f"{name} {digest}")

    def noted(self) -> dict[str, str]:
        self._say("")
        assert self._process.stdout is not None
        found: dict[str, str] = {}
        while (line := self._process.stdout.readline()) != "\n":
            if not line:
                raise _ended("it answers no more")
            name, digest = line.split()
            found[name] = digest
        return found

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _ended(str(error.strerror)) from error


def _ended(reason: str) -> RunError:
    return RunError(
        f"the process that remembers what the run has written has ended ({reason}).",
        hint="Run the same command again: the run goes on from its last saved state.",
    )


@contextlib.contextmanager
def witness_process() -> Iterator[Witness]:
    """Give a witness that is a small process of its own, which ends with the context."""
    # no site, no environment: nothing that lies about changes what this runs
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _REMEMBERS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a signal to the group is the run's affair
    ) as process:
        try:
            yield _Process(process)
        finally:
            process.kill()  # processes that read pictures may still hold its pipe, so that it would wait for them
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # what it did not take any more; closing once more is nothing
                process.stdin.close()


def check_witnessed(witness: Witness, told: Mapping[str, str], *, folder: Path) -> None:
    """Raise ChangedScoresError unless score files, by name, and the digests told of them are what was witnessed."""
    noted = witness.noted()
    for name in {**noted, **told}:
        path = folder / name
        now = file_sha256(path) if path.is_file() else None
        if not noted.get(name) == told.get(name) == now:
            raise ChangedScoresError(
                f"{path}: the scores of a finished session were {'changed' if now else 'removed'} after they had been "
                "written.",
                hint="Start afresh with --no-resume; a strategy may touch no file of its run.",
            )
