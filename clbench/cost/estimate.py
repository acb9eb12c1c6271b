"""What a run will cost, before it is paid: images, steps and bytes counted, seconds and memory measured on a few."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from clbench.cost.clocks import Spent, clocks
from clbench.cost.from_pins import counts_from_pins
from clbench.cost.session_counts import SessionCount, session_counts
from clbench.data.pictures.sources import cache_bytes, is_kept
from clbench.errors import ClbenchError
from clbench.method.strategy import as_seen_by
from clbench.metrics.of_parts import kept_bytes
from clbench.plan.plan import Plan
from clbench.stream.stream import Stream
from clbench.train.environment import keep_freed_memory
from clbench.train.options import AUTO, Kind
from clbench.train.prepare import plan_stream, stream_key

INCLUDED = (
    "every epoch, replayed images, what strategies do before and after sessions, scoring, measures, saved states, "
    "building the stream, pictures and features that are not kept yet, and the start of one process"
)
"""What the seconds are of; the tables and curves that follow the last run are not in them."""


@dataclass(frozen=True)
class Estimate:
    """Counts of one run, and what it spends; seconds and memory are None unless a calibration was asked for."""

    sessions: tuple[SessionCount, ...]
    cache_bytes: int
    """Of the picture cache; 0 where pictures are not kept."""
    score_bytes: int
    """Of the score matrices that stay beside the record."""
    feature_bytes: int | None = 0
    """Of the features that are kept; None where nothing was calibrated, which is what tells their shape."""
    memory_bytes: int | None = None
    """The most that the run's process (on a GPU: the GPU) holds at once; None where nothing was calibrated."""
    mapped_bytes: int = 0
    """Of it, pages of kept pictures or features, which the system takes back where memory is short."""
    parts: dict[str, Spent] = field(default_factory=dict)
    """What is spent where."""
    once: dict[str, Spent] = field(default_factory=dict)
    """What only the first of several runs spends."""
    unknown: tuple[str, ...] = ()
    """What is not in the counts, as the data set is not here."""

    @property
    def image_steps(self) -> int:
        """Images trained on, over all epochs, replayed ones included."""
        return sum(session.images for session in self.sessions)

    @property
    def steps(self) -> int:
        """Batches of the whole run."""
        return sum(session.steps for session in self.sessions)

    @property
    def scored(self) -> int:
        """Images scored by the evaluations."""
        return sum(session.scored for session in self.sessions)

    @property
    def spent(self) -> Spent | None:
        """What the run spends when it is the first, without the start of a process; None without a calibration."""
        return sum([*self.parts.values(), *self.once.values()], Spent()) if self.parts else None


def estimate(
    plan: Plan,
    *,
    calibrate: bool = False,
    device: str = "auto",
    threads: int = 1,
    workers: int = AUTO,
    cache: bool | None = None,
    features: Kind = "off",
    streams: dict[object, Stream] | None = None,
    keep_scores: bool = False,
) -> Estimate:
    """Return what `plan` costs; with `calibrate`, carry out a few images of every session and scale what that takes.

    Counts are exact, but for memories that choose by features. Of data that is not here they are those of the pins, and
    what these do not tell is `unknown`. Calibrating takes seconds for small networks and about a minute for large ones,
    and leaves nothing behind. `streams` keeps what plans of one scenario share. Other arguments are the run's.
    """
    begin = clocks()
    strategy = plan.new_strategy()
    if plan.absent:
        counts, score_bytes, unknown = counts_from_pins(plan, strategy, keep_scores=keep_scores)
        return Estimate(counts, cache_bytes=0, score_bytes=score_bytes, unknown=unknown)
    streams = {} if streams is None else streams
    key = stream_key(plan)
    if calibrate or key not in streams:
        streams[key] = plan_stream(plan, warn=key not in streams)
    stream = as_seen_by(strategy, streams[key])
    if calibrate:
        stream.digest(), stream.table.digest()
    set_up = clocks() - begin
    counts = session_counts(plan, strategy, stream)
    size, pictures = plan.train.image_size, len(stream.table)
    kept = plan.train.backbone != "none" and is_kept(pictures, size=size, wanted=cache)
    found = Estimate(
        sessions=counts,
        cache_bytes=cache_bytes(pictures, size=size) if kept else 0,
        score_bytes=sum(
            kept_bytes(len(stream.test_rows), session.seen, keep_scores=keep_scores) for session in stream.sessions
        ),
        feature_bytes=0 if features == "off" else None,
    )
    if not calibrate:
        return found
    import clbench.train.loop  # noqa: F401  # what it costs to import belongs to the start of a process
    from clbench.cost.calibrate import calibrated
    from clbench.train.run import RunOptions

    options = RunOptions(device=device, threads=threads, workers=workers, cache=cache, features=features)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    keep_freed_memory()
    try:
        times = calibrated(plan, stream, counts, options=options, set_up=set_up)
    except ClbenchError as error:  # of many plans it is this one
        if not error.message.startswith(plan.title):
            error.message = f"{plan.title}: {error.message}"
        raise
    finally:
        torch.set_num_threads(before)
    shown = ", ".join([f"{Path(plan.dataset).name} at {size} px", *(f"{n} {v}" for n, v in plan.options.items())])
    return Estimate(
        sessions=found.sessions,
        cache_bytes=found.cache_bytes,
        score_bytes=found.score_bytes,
        feature_bytes=times.feature_bytes,
        memory_bytes=times.memory_bytes,
        mapped_bytes=times.mapped_bytes,
        parts=times.parts,
        once={
            name: spent
            for name, spent in (
                (f"pictures of {shown}", times.pictures),
                (f"{features} of {plan.train.backbone}, {shown}", times.features),
            )
            if spent.wall
        },
    )


def together(runs: Iterable[Estimate]) -> Spent:
    """Return what the runs spend one after the other: what is kept is made by the first that needs it."""
    total, once = Spent(), dict[str, Spent]()
    for run in runs:
        total += sum(run.parts.values(), Spent())
        once |= {name: spent for name, spent in run.once.items() if name not in once}
    return total + sum(once.values(), Spent())
