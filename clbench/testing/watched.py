"""The one run at which every probe looks: what they found, what it left, and the error that ended it, if one did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clbench.testing.examined import Examined
from clbench.testing.outcome import Broken
from clbench.testing.probed_run import Left, Probe


@dataclass(frozen=True)
class Watched:
    """What a run with probes left; `problems` and `notes` go by the names of the probes' classes."""

    error: Broken.Told | None = None
    problems: dict[str, Broken.Told] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    left: Left | None = None

    def note(self, kind: type[Probe]) -> str:
        """Return what a probe has to say besides."""
        return self.notes.get(kind.__name__, "")


def watched(examined: Examined, *, kinds: Sequence[type[Probe]]) -> Watched:
    """Carry out a run with a probe of each kind and return what is to be said of it."""
    probes = tuple(kind() for kind in kinds)
    trial = examined.trial(probes=probes)
    error: BaseException | None = None
    try:
        trial.carry_out()
        # a strategy that goes on after it was told has done it all the same
        error = trial.reader.problem
    except (Exception, SystemExit) as raised:
        error = raised
    return Watched(
        error=None if error is None else _told(examined, error),
        problems={type(probe).__name__: _told(examined, probe.problem) for probe in probes if probe.problem},
        notes={type(probe).__name__: probe.note for probe in probes},
        left=trial.left() if error is None else None,
    )


def _told(examined: Examined, error: BaseException) -> Broken.Told:
    broken = examined.broken(error)
    return Broken.Told(broken.kinds, broken.found, broken.look, broken.mend)
