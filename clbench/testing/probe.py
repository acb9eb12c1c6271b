"""A probe that a check places into a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clbench.stream.stream import Session

if TYPE_CHECKING:
    from clbench.testing.trial_run import Trial


class Probe:
    """Looks at a run at named moments; every method may do nothing. `problem` keeps the first thing it found."""

    def __init__(self) -> None:
        self.problem: Exception | None = None

    def before_growth(self, trial: Trial, session: Session) -> None:
        """Before `begin_session`."""

    def after_growth(self, trial: Trial, session: Session) -> None:
        """After `begin_session`."""

    def after_step(self, trial: Trial, session: int, step: int) -> None:
        """After the `step`-th optimiser step of a session, counted from one."""

    def after_scoring(self, trial: Trial, session: Session) -> None:
        """After a session was trained and evaluated."""
