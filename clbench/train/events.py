"""What a run tells whoever watches it: events, and the functions that listen to them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clbench.stream.stream import Stream

RELAY_STEPS = 20
"""A run in another process tells of every so many steps: a line per step would cost more than some steps."""


RELAY_SECONDS = 10.0
"""Where steps are slow it tells of one after so long."""


@dataclass(frozen=True)
class RunStarted:
    """A run begins; `run` names it in all its events."""

    run: str
    strategy: str
    seed: int
    sessions: int
    stand_in: bool


@dataclass(frozen=True)
class StreamBuilt:
    """The scenario's stream is there, as it is before a strategy's view of it; told within the process only."""

    run: str
    stream: Stream


@dataclass(frozen=True)
class SessionStarted:
    """A session begins to train on `images` images, `steps` batches an epoch."""

    run: str
    session: int
    labels: int
    images: int
    steps: int


@dataclass(frozen=True)
class StepEnded:
    """`step` of `steps` in the session has ended, on a batch of `images`; epochs count from 0."""

    run: str
    session: int
    epoch: int
    step: int
    steps: int
    images: int
    read_loss: Callable[[], float]
    summed: int = 1
    """Over how many entries, labels and with `reduction: total` images too, the loss is a sum; 1 where it is a mean."""

    @cached_property
    def loss(self) -> float:
        """The session's mean loss so far, read once for all who listen: reading it waits for the device."""
        return self.read_loss()

    @property
    def loss_of_label(self) -> float:
        """The loss of one label of one image, so that it neither grows with the labels nor with the batch."""
        return self.loss / self.summed


@dataclass(frozen=True)
class SessionFinished:
    """A session was trained and evaluated; the mAPs, on the growing and the fixed test set, are fractions."""

    run: str
    session: int
    seconds: float
    last_map: float
    fixed_map: float
    stored: int


@dataclass(frozen=True)
class RunFinished:
    """The record is written."""

    run: str
    record: Path
    seconds: float


@dataclass(frozen=True)
class RunFailed:
    """The run stopped with an error."""

    run: str
    message: str
    refused: bool = False
    """Whether its input was refused, which is told at the end, once for all runs that the same input stopped."""


@dataclass(frozen=True)
class Making:
    """Something with countable parts is being made, such as the picture cache; told at its end too."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Message:
    """Something else worth saying; what is true of several runs alike is said `once`."""

    text: str
    once: bool = False


Event = (
    RunStarted | StreamBuilt | SessionStarted | StepEnded | SessionFinished | RunFinished | RunFailed | Making | Message
)
Watch = Callable[[Event], None]
"""Listens to a run; it may do nothing with an event, and it may not change the run."""


def silent(event: Event) -> None:
    """Listen to nothing."""


def several(*watches: Watch) -> Watch:
    """Return what tells every event to all of `watches`."""

    def tell(event: Event) -> None:
        for watch in watches:
            watch(event)

    return tell


def relay(put: Callable[[Event], object]) -> Watch:
    """Return a watch that hands events to `put`, as values that can be pickled: `put` takes them to another process."""

    told = time.monotonic()

    def tell(event: Event) -> None:
        nonlocal told
        if isinstance(event, StreamBuilt):
            return
        if isinstance(event, StepEnded):
            now = time.monotonic()
            if event.step % RELAY_STEPS and event.step != event.steps and now - told < RELAY_SECONDS:
                return
            told = now
            event = dataclasses.replace(event, read_loss=partial(float, event.loss))
        with contextlib.suppress(OSError, EOFError):  # nobody listens any more; the run goes on
            put(event)

    return tell


def telling(watch: Watch, what: str, *, seconds: float = 0.5) -> Callable[[int, int], None]:
    """Return what tells a watch how far `what` is. Called with (done, total) it speaks at first, now and then, last."""
    told = -math.inf

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= seconds or done == total:
            told = now
            watch(Making(what, done, total))

    return tell
