"""The one run at which every probe looks, and the error that ended it, if one did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from clbench.testing.probed_run import Probe, ProbedRun

P = TypeVar("P", bound=Probe)


class Watched:
    """A run with probes, carried out; `error` is what stopped it."""

    def __init__(self, kinds: Iterable[type[Probe]], *, make: Callable[[tuple[Probe, ...]], ProbedRun]) -> None:
        self._probes: dict[type[Probe], Probe] = {kind: kind() for kind in kinds}
        self.trial = make(tuple(self._probes.values()))
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
