"""Ctrl-C and termination: while a session trains the current step ends and the state is saved, else the run stops."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

SAME_REQUEST = 1.0
"""Seconds within which a second signal is taken for the first: a terminal and a scheduler may both pass it on."""


class Interrupted(KeyboardInterrupt):
    """The user, or a scheduler, asked the run to stop; its state lies in `state`, if it has saved one."""

    def __init__(self, state: Path | None) -> None:
        self.state = state
        saved = f"the state is saved in {state}. The same command goes on from there."
        super().__init__(f"Stopped; {saved if state else 'nothing was saved yet. The same command starts afresh.'}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.state,)


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """Stop runs in a passing folder as anything else stops: the state that they save goes with the folder."""
    try:
        yield
    except Interrupted:
        raise KeyboardInterrupt from None


class StoppedWaiting(KeyboardInterrupt):
    """The request to stop came while the run waited for pictures, which may never come; no step had begun."""


class StopSignals:
    """While entered, SIGINT and SIGTERM raise KeyboardInterrupt; in a `patient` stretch they only set `asked`.

    A second signal acts at once even then, and the first one does while the body is `waiting`, by StoppedWaiting.
    """

    def __init__(self) -> None:
        self.asked = False
        self._patient = False
        self._waiting = False
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        # only the main thread may set handlers; elsewhere a run is stopped from outside
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Let the body end its current step; it looks at `asked`."""
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the body be ended where it is."""
        if self.asked and self._patient:
            raise StoppedWaiting
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked and time.monotonic() - self._since < SAME_REQUEST:
            return
        again, self.asked, self._since = self.asked, True, time.monotonic()
        if again or not self._patient:
            raise KeyboardInterrupt
        self._leave_loaders_alone()
        if self._waiting:
            self._waiting = False
            raise StoppedWaiting

    @staticmethod
    def _leave_loaders_alone() -> None:
        # the signal may have ended loader workers too; torch would raise for them in the middle of the last step
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, lambda *_: None)  # SIG_DFL would have one that has just arrived complained of


@contextlib.contextmanager
def termination_interrupts() -> Iterator[None]:
    """Let SIGTERM stop what the body waits for as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
