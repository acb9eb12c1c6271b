"""`--log csv`: one line per event in `log.csv`, beside the run's state."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clbench.files.checked_lines import checked
from clbench.watch.logs.log import About, Result, Step

FILE = "log.csv"
COLUMNS = (
    "time", "event", "session", "epoch", "step", "total_steps", "loss", "map_growing", "map_fixed", "stored_images",
    "seconds",
)  # fmt: skip
"""`event` is start, step, session or record; sessions and epochs count from 1, `loss` is the session's mean so far.

A last column without a name of its own holds the line's checksum.
"""


class CsvLog:
    """Appends lines, so that a resumed run goes on in the same file; each is on disk when it is written."""

    def __init__(self, about: About) -> None:
        path = about.folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.exists() and path.stat().st_size > 0
        if begun:
            _cut_unfinished(path)
        self._stream = path.open("a", encoding="utf-8", newline="")
        if not begun:
            self._write(COLUMNS)
        self._line(event="start")

    def step(self, step: Step) -> None:
        """Write how far the session is."""
        self._line(
            event="step",
            session=step.session,
            epoch=step.epoch,
            step=step.step,
            total_steps=step.total,
            loss=step.loss,
        )

    def result(self, result: Result) -> None:
        """Write what the session came to."""
        self._line(
            event="session",
            session=result.session,
            total_steps=result.total,
            map_growing=result.map_growing,
            map_fixed=result.map_fixed,
            stored_images=result.stored_images,
            seconds=result.seconds,
        )

    def finished(self, record: Path) -> None:
        """Write that the record is there."""
        self._line(event="record")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _line(self, **values: Any) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        cells = {"time": now.isoformat(timespec="milliseconds")} | values
        self._write(cells.get(name, "") for name in COLUMNS)
        self._stream.flush()

    def _write(self, cells: Iterable[Any]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cells)
        self._stream.write(checked(line.getvalue()))


def _cut_unfinished(path: Path) -> None:
    """Remove what a killed process wrote of its last line."""
    with path.open("r+b") as stream:
        stream.truncate(stream.read().rfind(b"\n") + 1)


def open_log(about: About) -> CsvLog:
    """Return the log of a run."""
    return CsvLog(about)
