"""Watching runs: one live line per run on a terminal, one plain line per session elsewhere."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from clbench.train.events import Watch

READ_SECONDS = 0.5
"""Reading the loss waits for the GPU, so it is not read more often than this."""
MAKING_SECONDS = 5.0
"""How often plain lines tell how far the picture cache is."""


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Give the watch that fits, silent, live on a terminal or plain lines, and leave the terminal as it was.

    Of several processes that share their runs only the first one speaks.
    """
    from clbench.ranks import launched
    from clbench.train.events import Silent

    quiet = quiet or launched.number() > 0
    if quiet or not sys.stderr.isatty():
        yield Silent() if quiet else Plain()
        return
    live = Live()
    try:
        yield live
    finally:
        live.close()


def seconds_text(seconds: float) -> str:
    """Return a duration as people write it: 8.2 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def session_line(*, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int) -> str:
    """Return what one finished session comes to: mAP over the labels seen so far, on both test sets, in percent."""
    memory = f", {stored} stored" if stored else ""
    return (
        f"{run}: session {session + 1}: mAP {100 * last_map:.2f} "
        f"(all test images {100 * fixed_map:.2f}), {seconds_text(seconds)}{memory}"
    )


class Plain:
    """Writes a line per session to stderr."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def run_started(self, *, run: str, strategy: str, seed: int, sessions: int, stand_in: bool) -> None:
        """Say that the run begins."""
        self._say(f"{run}: started")

    def session_started(self, *, run: str, session: int, labels: int, images: int, steps: int) -> None:
        """Say nothing: the session's end has the news."""

    def step(
        self, *, run: str, session: int, epoch: int, step: int, steps: int, images: int, loss: Callable[[], float]
    ) -> None:
        """Say nothing: logs are read afterwards."""

    def session_finished(
        self, *, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int
    ) -> None:
        """Say what the session came to."""
        self._say(
            session_line(
                run=run, session=session, seconds=seconds, last_map=last_map, fixed_map=fixed_map, stored=stored
            )
        )

    def run_finished(self, *, run: str, record: Path, seconds: float) -> None:
        """Say that the run has ended."""
        self._say(f"{run}: finished in {seconds_text(seconds)}")

    def run_failed(self, *, run: str, message: str) -> None:
        """Say why the run has stopped."""
        self._say(f"{run}: failed: {message}")

    def making(self, what: str, done: int, total: int) -> None:
        """Say how far it is at its beginning, every few seconds, and at its end."""
        now = time.monotonic()
        if done == total or now - self._told.get(what, -math.inf) >= MAKING_SECONDS:
            self._told[what] = now
            self._say(f"{what}: {done:,} of {total:,}")

    def message(self, text: str) -> None:
        """Pass the text on."""
        self._say(text)

    def _say(self, text: str) -> None:
        click.echo(text, err=True)


class Live(Plain):
    """Keeps one line per running run on a terminal, with finished sessions scrolling above."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            TextColumn("{task.fields[place]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._meters: dict[str, Meter] = {}
        self._sessions: dict[str, int] = {}

    def run_started(self, *, run: str, strategy: str, seed: int, sessions: int, stand_in: bool) -> None:
        """Say that the run begins."""
        self._sessions[run] = sessions
        super().run_started(run=run, strategy=strategy, seed=seed, sessions=sessions, stand_in=stand_in)

    def session_started(self, *, run: str, session: int, labels: int, images: int, steps: int) -> None:
        """Give the run a fresh line."""
        self._remove(run)
        if not self._tasks:
            self._progress.start()
        place = f"{self._place(run, session)}, {labels} labels"
        self._tasks[run] = self._progress.add_task(run, total=None, place=place, numbers="")
        self._meters[run] = Meter()

    def step(
        self, *, run: str, session: int, epoch: int, step: int, steps: int, images: int, loss: Callable[[], float]
    ) -> None:
        """Move the run's line on."""
        if run not in self._tasks:
            return
        meter = self._meters[run]
        meter.add(step=step, images=images)
        if meter.due() or step == steps:
            place = f"{self._place(run, session)}, epoch {epoch + 1}"
            numbers = f"loss {loss():.4f}  {meter.rate():.0f} images/s"
            self._progress.update(self._tasks[run], completed=step, total=steps, place=place, numbers=numbers)

    def session_finished(
        self, *, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int
    ) -> None:
        """Say what the session came to, above the live lines."""
        self._remove(run)
        super().session_finished(
            run=run, session=session, seconds=seconds, last_map=last_map, fixed_map=fixed_map, stored=stored
        )

    def run_finished(self, *, run: str, record: Path, seconds: float) -> None:
        """Take the run's line away."""
        self._remove(run)
        super().run_finished(run=run, record=record, seconds=seconds)

    def run_failed(self, *, run: str, message: str) -> None:
        """Take the run's line away and say why it has stopped."""
        self._remove(run)
        super().run_failed(run=run, message=message)

    def making(self, what: str, done: int, total: int) -> None:
        """Move a line of its own on, and leave a word of it when it is done."""
        if what not in self._tasks:
            if not self._tasks:
                self._progress.start()
            self._tasks[what] = self._progress.add_task(what, total=total, place="", numbers="")
        self._progress.update(self._tasks[what], completed=done, numbers=f"{done:,} of {total:,}")
        if done == total:
            self._remove(what)
            self._say(f"{what}: {total:,}")

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def _place(self, run: str, session: int) -> str:
        known = self._sessions.get(run, 0)
        return f"session {session + 1}" + (f" of {known}" if known else "")

    def _remove(self, run: str) -> None:
        task = self._tasks.pop(run, None)
        if task is not None:
            self._progress.remove_task(task)
            if not self._tasks:
                self._progress.stop()

    def _say(self, text: str) -> None:
        # through the console, so that the live lines are redrawn below; its markup would eat square brackets
        self._progress.console.print(text, markup=False, highlight=False)


class Meter:
    """Counts images per second over the last stretch between two readings."""

    def __init__(self) -> None:
        self._read = self._since = time.monotonic()
        self._images = 0
        self._step = 0

    def add(self, *, step: int, images: int) -> None:
        """Count a report; reports may skip steps, each with the images of one."""
        # worker processes report every twentieth step; a resumed session begins anywhere
        self._images += images * min(step - self._step, 20)
        self._step = step

    def due(self) -> bool:
        """Return whether it is time to show numbers again."""
        return time.monotonic() - self._read >= READ_SECONDS

    def rate(self) -> float:
        """Return images per second since the last call."""
        now = time.monotonic()
        rate = self._images / max(now - self._since, 1e-9)
        self._read = self._since = now
        self._images = 0
        return rate
