"""Several watches as one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clbench.train.events import Watch


class Several:
    """Tells several watches the same; the loss is read once for all of them."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def run_started(self, *, run: str, strategy: str, seed: int, sessions: int, stand_in: bool) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.run_started(run=run, strategy=strategy, seed=seed, sessions=sessions, stand_in=stand_in)

    def session_started(self, *, run: str, session: int, labels: int, images: int, steps: int) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.session_started(run=run, session=session, labels=labels, images=images, steps=steps)

    def step(
        self, *, run: str, session: int, epoch: int, step: int, steps: int, images: int, loss: Callable[[], float]
    ) -> None:
        """Tell all."""
        read: list[float] = []

        def once() -> float:
            if not read:
                read.append(loss())
            return read[0]

        for watch in self._watches:
            watch.step(run=run, session=session, epoch=epoch, step=step, steps=steps, images=images, loss=once)

    def session_finished(
        self, *, run: str, session: int, seconds: float, last_map: float, fixed_map: float, stored: int
    ) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.session_finished(
                run=run, session=session, seconds=seconds, last_map=last_map, fixed_map=fixed_map, stored=stored
            )

    def run_finished(self, *, run: str, record: Path, seconds: float) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.run_finished(run=run, record=record, seconds=seconds)

    def run_failed(self, *, run: str, message: str) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.run_failed(run=run, message=message)

    def making(self, what: str, done: int, total: int) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.making(what, done, total)

    def message(self, text: str) -> None:
        """Tell all."""
        for watch in self._watches:
            watch.message(text)
