"""What a driver and the runs on a cluster tell each other: progress one way, the request to stop the other.

`ray.cancel` is not used for that request: where it meets the answer of a task that has just ended, Ray ends the whole
driver ("Check failed: it != submissible_tasks_.end()", seen with Ray 2.60; pull request 54798 of ray-project/ray tells
of the race).
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LISTEN_SECONDS = 1.0
"""How often a run asks whether it is to stop."""
ANSWER_SECONDS = 10.0
"""How long either side waits for the mailbox; it may be busy with the reports of many runs."""


class Mailbox:
    """Holds what the runs report until the driver takes it, and whether they are to stop; an actor beside the driver.

    Runs are known by their place in the driver's list of plans.
    """

    def __init__(self) -> None:
        self._events: list[Any] = []
        self._begun: set[int] = set()
        self._stopping = False

    def put(self, event: Any) -> None:
        """Keep a run's event for the driver."""
        self._events.append(event)

    def take(self) -> list[Any]:
        """Return what was put here since the last time."""
        events, self._events = self._events, []
        return events

    def begin(self, run: int) -> bool:
        """Return whether a run may begin; from then on it is one that `stop` names."""
        if not self._stopping:
            self._begun.add(run)
        return not self._stopping

    def stop(self) -> set[int]:
        """Ask all runs to stop, and return those that have begun, ended ones too."""
        self._stopping = True
        return self._begun

    def stopping(self) -> bool:
        """Return whether runs are to stop."""
        return self._stopping

    def flush(self) -> None:
        """Wait until everything put here has arrived: it has."""


class Line:
    """The mailbox as a run on another process sees it; nobody waits for a report to arrive."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._last: Any = None

    def put(self, event: Any) -> None:
        """Send an event of the run."""
        self._last = self._actor.put.remote(event)

    def flush(self) -> None:
        """Wait until the last report has arrived, so that none is overtaken by the result."""
        if self._last is not None:
            import ray

            ray.wait([self._last], timeout=5)

    def begin(self, run: int) -> bool:
        """Return whether a run may begin. Raises RayError where the driver, and the mailbox with it, is lost."""
        import ray

        return bool(ray.get(self._actor.begin.remote(run)))

    def stopping(self) -> bool:
        """Return whether runs are to stop."""
        import ray

        try:
            return bool(ray.get(self._actor.stopping.remote(), timeout=ANSWER_SECONDS))
        except ray.exceptions.RayError:
            return False  # a driver that does not answer is busy, or lost; Ray ends the processes of a lost one


@contextlib.contextmanager
def connected(line: Line | Mailbox, run: int) -> Iterator[None]:
    """Interrupt the body, in the main thread, as Ctrl-C does once the driver wants its runs to stop.

    Raises KeyboardInterrupt at once when it wants so already. Ends when all that the body reported has arrived.
    """
    ended = threading.Event()

    def listen() -> None:
        while not ended.wait(LISTEN_SECONDS):
            if line.stopping():
                _thread.interrupt_main()
                return

    # while the main thread waits for an answer of Ray's, Ray lends the CPUs of its run to another
    with ThreadPoolExecutor(1, thread_name_prefix="clbench-line") as aside:
        if not aside.submit(line.begin, run).result():
            raise KeyboardInterrupt
        listening = aside.submit(listen)
        try:
            yield
        finally:
            ended.set()
            listening.result()
            aside.submit(line.flush).result()
