"""Many runs on one machine: one after the other, or one worker process per core or GPU."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from clbench.files.machine import cores, gpu_count
from clbench.many.one import RunOutcome, check_recipes, one, tell_failure
from clbench.ranks import launched
from clbench.train.events import Watch, silent

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions


def run_all(
    plans: Sequence[Plan], options: RunOptions, *, jobs: int | None = None, watch: Watch | None = None
) -> list[RunOutcome]:
    """Carry out `plans` and return their outcomes in the same order; one that fails does not stop the others.

    `jobs` worker processes (default: one per core that the runs' threads leave free, or one per GPU). The number of
    workers cannot move a number: each run has its own threads, seeds and folders. UsageError: there is no such device,
    or a recipe that goes with no stored features.
    """
    watch = watch or silent
    if options.device not in {"auto", "cpu"}:
        from clbench.train.environment import pick_device

        pick_device(options.device)  # one error before anything starts, not one for every run
    check_recipes(plans, options)
    shared = launched.processes() > 1
    if shared:
        options = dataclasses.replace(options, cores=max(cores() // launched.here(), 1))
    jobs = 1 if shared else min(jobs or default_jobs(options), len(plans))
    if jobs > 1:
        from clbench.many.worker_pool import run_in_processes

        options = dataclasses.replace(options, cores=max(cores() // jobs, 1))
        return run_in_processes(plans, options, jobs=jobs, watch=watch)
    outcomes = []
    for plan in plans:
        outcome = one(plan, options, watch)
        if shared and outcome.error is not None:
            raise outcome.error  # going on alone would leave the other ranks waiting for this one
        outcomes.append(outcome)
        tell_failure(outcome, watch)
    return outcomes


def default_jobs(options: RunOptions) -> int:
    """Return how many runs this machine carries out at once."""
    gpus = 0 if options.device == "cpu" else gpu_count()
    if gpus:
        return gpus if options.device in {"auto", "cuda"} else 1
    return max(cores() // max(options.threads, 1), 1)
