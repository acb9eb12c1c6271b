"""Where the runs of a sweep or a search are carried out: in processes of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clbench.errors import UsageError

if TYPE_CHECKING:
    from clbench.many.one import RunOutcome
    from clbench.plan.plan import Plan
    from clbench.train.events import Watch
    from clbench.train.options import RunOptions

    Carry = Callable[[Sequence[Plan], Watch], list[RunOutcome]]
    """Carries out runs and returns their outcomes in order."""


@dataclass(frozen=True)
class Where:
    """The options of `options.cluster` with --jobs. Raises UsageError for those that do not go together."""

    jobs: int | None
    address: str | None
    cpus_per_run: float | None
    gpus_per_run: float | None
    retries: int

    def __post_init__(self) -> None:
        if self.address is None and (self.cpus_per_run is not None or self.gpus_per_run is not None):
            raise UsageError("--cpus-per-run and --gpus-per-run belong to --address.")
        if self.address is not None and self.jobs is not None:
            raise UsageError(
                "--jobs and --address exclude each other: a cluster runs as many at once as it has room for."
            )

    @contextmanager
    def opened(self, how: RunOptions) -> Iterator[Carry]:
        """Give what carries out runs in the way `how`; a cluster stays connected until the end."""
        if self.address is None:
            from clbench.many.here import run_all

            yield lambda plans, watch: run_all(plans, how, jobs=self.jobs, watch=watch)
            return
        from clbench.many.ray.driver import Cluster, Share

        share = Share(cpus=self.cpus_per_run or 0.0, gpus=self.gpus_per_run, retries=self.retries)
        with Cluster(how, address=self.address, share=share) as cluster:
            yield cluster.carry_out
