"""Watching runs: one live line per run on a terminal, one plain line per session elsewhere."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from clbench.cli.terminal import output
from clbench.train.events import (
    Event,
    Making,
    Message,
    RunFailed,
    RunFinished,
    RunStarted,
    SessionFinished,
    SessionStarted,
    StepEnded,
    Watch,
    silent,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

READ_SECONDS = 0.5
"""Reading the loss waits for the GPU, so it is not read more often than this."""
SILENT_SECONDS = 60.0
"""After so long a run that writes plain lines says how far its session is."""
MAKING_SECONDS = 5.0
"""How often plain lines tell how far the picture cache is."""


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """Give the watch that fits, silent, live on a terminal or plain lines, and leave the terminal as it was.

    Of several processes that share their runs only the first one speaks.
    """
    from clbench.ranks import launched

    quiet = quiet or launched.number() > 0
    if quiet or not sys.stderr.isatty():
        yield silent if quiet else Plain()
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


def session_line(event: SessionFinished) -> str:
    """Return what one finished session comes to: mAP over the labels seen so far, on both test sets, in percent."""
    memory = f", {event.stored} stored" if event.stored else ""
    return (
        f"{event.run}: session {event.session + 1}: mAP {100 * event.last_map:.2f} "
        f"(all test images {100 * event.fixed_map:.2f}), {seconds_text(event.seconds)}{memory}"
    )


def loss_text(event: StepEnded) -> str:
    """Return the loss of one label as text: a sum over a thousand labels says nothing at a glance."""
    value = event.loss_of_label
    return f"loss {value:.4f}" if not 0 < abs(value) < 0.001 else f"loss {value:.1e}"


class Plain:
    """Writes a line per session to stderr, and inside a long one a line a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._told: dict[str, float] = {}
        self._said: set[str] = set()
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._begun: dict[str, tuple[float, int]] = {}

    def __call__(self, event: Event) -> None:
        """Say what is news for a reader of logs: no session's begin, and of steps a word after a silent minute."""
        if isinstance(event, RunStarted | SessionFinished | RunFinished | RunFailed):
            self._heard[event.run] = self._clock()
        match event:
            case SessionStarted():
                self._begun.pop(event.run, None)
            case StepEnded():
                self._still(event)
            case RunStarted():
                self._say(f"{event.run}: started")
            case SessionFinished():
                self._say(session_line(event))
            case RunFinished():
                self._say(f"{event.run}: finished in {seconds_text(event.seconds)}")
            case RunFailed():
                self._say(f"{event.run}: failed" if event.refused else f"{event.run}: failed: {event.message}")
            case Making():
                self._making(event.what, event.done, event.total)
            case Message():
                if not event.once or event.text not in self._said:
                    self._say(event.text)
                self._said |= {event.text} if event.once else set()

    def _still(self, event: StepEnded) -> None:
        """Say how far a session is, where its run has been silent for `SILENT_SECONDS`."""
        now = self._clock()
        start, first = self._begun.setdefault(event.run, (now, event.step))
        if now - self._heard.setdefault(event.run, now) < SILENT_SECONDS:
            return
        self._heard[event.run] = now
        done = event.step - first
        left = (now - start) / done * (event.steps - event.step) if done > 0 else math.nan
        told = "" if math.isnan(left) else f", {seconds_text(left)} left"
        place = f"{event.run}: session {event.session + 1}: step {event.step:,} of {event.steps:,}"
        self._say(f"{place}, {loss_text(event)}{told}")

    def _making(self, what: str, done: int, total: int) -> None:
        """Say how far it is at its beginning, every few seconds, and at its end."""
        now = time.monotonic()
        if done == total or now - self._told.get(what, -math.inf) >= MAKING_SECONDS:
            self._told[what] = now
            self._say(f"{what}: {done:,} of {total:,}")

    def _say(self, text: str) -> None:
        click.echo(output.printable(text), err=True)


class Live(Plain):
    """Keeps one line per running run on a terminal, with finished sessions scrolling above."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console, RenderableType
        from rich.progress import BarColumn, Progress, Task, TextColumn, TimeRemainingColumn
        from rich.text import Text

        class PlaceOrBar(BarColumn):
            """For narrow terminals: where a run is, in words; a bar for what has no place."""

            def render(self, task: Task) -> RenderableType:  # type: ignore[override]
                """Return the words, or the bar where there are none."""
                place = task.fields["place"]
                return Text(place, no_wrap=True) if place else super().render(task)

        wide = output.width() >= 110
        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            *([TextColumn("{task.fields[place]}"), BarColumn(bar_width=24)] if wide else [PlaceOrBar(bar_width=24)]),
            TextColumn("{task.fields[numbers]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._meters: dict[str, Meter] = {}
        self._sessions: dict[str, int] = {}
        # place, numbers and the time left take 62 columns, a bar 25
        self._room = max(output.width() - 62 - 25 * wide, 12)

    def __call__(self, event: Event) -> None:
        """Move the run's line on, and say above it what is news."""
        match event:
            case RunStarted():
                self._sessions[event.run] = event.sessions
            case SessionStarted():
                self._fresh_line(event)
            case StepEnded():
                self._step(event)
            case SessionFinished() | RunFinished() | RunFailed():
                self._remove(event.run)
        super().__call__(event)

    def _fresh_line(self, event: SessionStarted) -> None:
        self._remove(event.run)
        if not self._tasks:
            self._progress.start()
        place = f"{self._place(event.run, event.session)}, {event.labels} labels"
        self._tasks[event.run] = self._progress.add_task(self._short(event.run), total=None, place=place, numbers="")
        self._meters[event.run] = Meter()

    def _still(self, event: StepEnded) -> None:
        """Say nothing: the run's line has it all."""

    def _step(self, event: StepEnded) -> None:
        if event.run not in self._tasks:
            return
        meter = self._meters[event.run]
        meter.add(step=event.step, images=event.images)
        if meter.due() or event.step == event.steps:
            place = f"{self._place(event.run, event.session)}, epoch {event.epoch + 1}"
            numbers = f"{loss_text(event)}  {meter.rate():.0f} images/s"
            self._progress.update(
                self._tasks[event.run], completed=event.step, total=event.steps, place=place, numbers=numbers
            )

    def _making(self, what: str, done: int, total: int) -> None:
        """Move a line of its own on, and leave a word of it when it is done."""
        if what not in self._tasks:
            if not self._tasks:
                self._progress.start()
            self._tasks[what] = self._progress.add_task(self._short(what), total=total, place="", numbers="")
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

    def _short(self, name: str) -> str:
        """Return a name that fits its column, cut before its end, where the seed stands."""
        name = output.printable(name)
        return name if len(name) <= self._room else f"{name[: self._room - 9]}…{name[-8:]}"

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
