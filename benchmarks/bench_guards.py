"""What guarding a run costs, as a share of that run's own CPU time.

    python benchmarks/bench_guards.py [--quick]

One run in this process, with a clock around everything that is there for trust alone: digests of stream, files and
photos, the witness of the scores, the look at what is replayed and stored, at losses and at optimisers, building
beforehand, trying an empty record, copies of what ran. A call inside another counts once. CPU is user and system time
of all threads and of processes that ended. It does not hold the CRC-32 of kept pictures, which are looked at where
`--cache` is used, once each.
"""

from __future__ import annotations

import importlib
import resource
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from clbench.cli.comparison import Comparison, main
from clbench.many import buildable
from clbench.plan.plans import plan
from clbench.train.options import RunOptions
from clbench.train.run import run

MOST = 3.0
"""Percent that guards may take."""
SHOWN = 5
"""How many of the dearest are named."""
GUARDS = (
    ("clbench.train.put_together", "_build"),  # the stream that it is given is the run's own
    ("clbench.stream.stream", "Stream.digest"),
    ("clbench.train.assembly", "pictures_digest"),
    ("clbench.train.assembly", "check_recordable"),
    ("clbench.train.assembly", "check_scores"),
    ("clbench.train.resume.witness", "_Process.note"),
    ("clbench.train.run", "check_fields"),
    ("clbench.train.run", "check_witnessed"),
    ("clbench.train.run", "Run._keep_sources"),
    ("clbench.train.run", "Run._check_lone_images"),
    ("clbench.train.scoring.score_file", "file_sha256"),
    ("clbench.method.stored", "Replayable.__init__"),
    ("clbench.method.stored", "Replayable.taken"),
    ("clbench.train.session_result", "count_stored"),
    ("clbench.train.session_result", "check_met"),
    ("clbench.train.loop", "check_holds_exactly"),
    ("clbench.train.loop", "SharedLoop.check_losses"),
    ("clbench.nn.modes", "Modes.restore"),
    ("clbench.train.scoring.evaluate", "check_shape"),
    ("clbench.train.scoring.evaluate", "check_values"),
)
"""Where each guard is looked up by those that call it."""


def cpu() -> float:
    """Return the seconds of CPU of this process and of those of its own that ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in used)


class Clock:
    """Adds up the CPU time of guards, each call once."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._inside = False

    def around(self, place: str, name: str) -> None:
        """Take the time of the function `name` that `place` holds from now on."""
        owner: Any = importlib.import_module(place)
        *classes, last = name.split(".")
        for part in classes:
            owner = getattr(owner, part)
        setattr(owner, last, self._timed(getattr(owner, last), name))

    def _timed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if self._inside:
                return function(*given, **named)
            self._inside, begin = True, cpu()
            try:
                return function(*given, **named)
            finally:
                self._inside = False
                self.seconds[name] += cpu() - begin
                self.calls[name] += 1

        return call


def guarded(scenario: str, strategy: str, *sets: str) -> Comparison:
    """Return the share that guards take of one run's CPU time."""
    clock = Clock()
    for guard in GUARDS:
        clock.around(*guard)
    with tempfile.TemporaryDirectory() as folder:
        begin = cpu()
        options = RunOptions(results=Path(folder), device="cpu")
        plans = plan(scenario, strategies=[strategy], sets=list(sets), seeds=[0])
        buildable.check_buildable(plans, options)
        run(plans[0], options)
        total = cpu() - begin
    largest = sorted(clock.seconds.items(), key=lambda item: -item[1])[:SHOWN]
    return Comparison(
        f"guards of {strategy} on {scenario}",
        100 * sum(clock.seconds.values()) / total,
        unit="%",
        baseline=f"of {total:.1f} s",
        at_most=MOST,
        detail=", ".join(f"{name} {seconds:.3f} s in {clock.calls[name]:,} calls" for name, seconds in largest),
    )


def measure(quick: bool) -> Iterator[Comparison]:
    """Measure the main job; quickly, with a single epoch of each session."""
    yield guarded("coco_b40c10", "naive", *(["train.epochs=1"] if quick else []))


if __name__ == "__main__":
    main(measure, doc=__doc__)
