"""Watches that several tests listen with."""

from __future__ import annotations

from clbench.train.events import Event, Message, StepEnded


class StopAt:
    """Stops the run at a given step of a given session, as a signal would between two steps; keeps what was said."""

    def __init__(self, session: int, step: int) -> None:
        self.at = (session, step)
        self.told: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepEnded) and (event.session, event.step) == self.at:
            raise KeyboardInterrupt
        if isinstance(event, Message):
            self.told.append(event.text)
