"""The one run at which every probe looks, and the error that ended it, if one did."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from clbench.testing.probe import Probe
from clbench.testing.surroundings import functions
from clbench.testing.trial_run import Trial

if TYPE_CHECKING:
    from clbench.testing.subject import Subject

P = TypeVar("P", bound=Probe)


class Watched:
    """A run with probes, carried out; `error` is what stopped it."""

    def __init__(self, subject: Subject, kinds: Iterable[type[Probe]]) -> None:
        # what the loop imports late is part of what a strategy may not touch
        importlib.import_module("clbench.train.loop")
        subject.functions = functions() | subject.functions
        self._probes: dict[type[Probe], Probe] = {kind: kind() for kind in kinds}
        self.trial: Trial = subject.trial(probes=tuple(self._probes.values()))
        self.error: BaseException | None = None
        try:
            self.trial.carry_out()
            # a strategy that goes on after it was told has done it all the same
            self.error = self.trial.reader.problem
        except (Exception, SystemExit) as error:
            self.error = error

    def probe(self, kind: type[P]) -> P:
        """Return the probe of one kind."""
        found = self._probes[kind]
        assert isinstance(found, kind)
        return found
