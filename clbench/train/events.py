"""What a run tells whoever watches it: a terminal, a log, nobody."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Watch(Protocol):
    """Called by the runner; every method may do nothing, and none may change the run."""

    def run_started(self, *, run: str, strategy: str, seed: int, sessions: int, stand_in: bool) -> None:
        """A run begins; `run` names it in all later calls."""

    def session_started(self, *, run: str, session: int, labels: int, images: int, steps: int) -> None:
        """A session begins to train on `images` images, `steps` batches an epoch."""

    def step(
        self, *, run: str, session: int, epoch: int, step: int, steps: int, images: int, loss: Callable[[], float]
    ) -> None:
        """`step` of `steps` in the session has ended; `loss()` reads the mean loss so far and costs a device sync."""

    def session_finished(
        self, *, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int
    ) -> None:
        """A session was trained and evaluated; the mAPs are fractions."""

    def run_finished(self, *, run: str, record: Path, seconds: float) -> None:
        """The record is written."""

    def run_failed(self, *, run: str, message: str) -> None:
        """The run stopped with an error."""

    def making(self, what: str, done: int, total: int) -> None:
        """Something with countable parts is being made, such as the picture cache; told at its end too."""

    def message(self, text: str) -> None:
        """Something else worth saying."""


class Telling:
    """Tells a watch how far something with countable parts is: when it begins, now and then, when it is done."""

    def __init__(self, watch: Watch, what: str, *, seconds: float = 0.5) -> None:
        self._watch = watch
        self._what = what
        self._seconds = seconds
        self._told = -math.inf

    def __call__(self, done: int, total: int) -> None:
        """Take note that `done` of `total` are done."""
        now = time.monotonic()
        if now - self._told >= self._seconds or done == total:
            self._told = now
            self._watch.making(self._what, done, total)


class Silent:
    """Watches nothing."""

    def run_started(self, *, run: str, strategy: str, seed: int, sessions: int, stand_in: bool) -> None:
        """Ignore it."""

    def session_started(self, *, run: str, session: int, labels: int, images: int, steps: int) -> None:
        """Ignore it."""

    def step(
        self, *, run: str, session: int, epoch: int, step: int, steps: int, images: int, loss: Callable[[], float]
    ) -> None:
        """Ignore it."""

    def session_finished(
        self, *, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int
    ) -> None:
        """Ignore it."""

    def run_finished(self, *, run: str, record: Path, seconds: float) -> None:
        """Ignore it."""

    def run_failed(self, *, run: str, message: str) -> None:
        """Ignore it."""

    def making(self, what: str, done: int, total: int) -> None:
        """Ignore it."""

    def message(self, text: str) -> None:
        """Ignore it."""
