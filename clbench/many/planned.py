"""Plans of runs that worker processes carry out, made by one of these: they have torch, and nobody else needs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from clbench.many.buildable import check_buildable
from clbench.many.fork_server import in_worker
from clbench.many.here import default_jobs
from clbench.ranks import launched

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions


def planned(make: Callable[..., list[Plan]], options: RunOptions, *, jobs: int | None, dry: bool = False) -> list[Plan]:
    """Return the plans that `make()` gives, each of which can be built; `run_all` will have these `jobs`.

    `make(read_only=True)` tells how many they are. `make` can be pickled. With `dry` nothing is to run. Raises what
    `make` and `check_buildable` raise.
    """
    if sys.platform == "linux" and "torch" not in sys.modules and jobs != 1 and launched.processes() == 1:
        count = len(make(read_only=True))
        if "torch" not in sys.modules and min(jobs or default_jobs(options), count) > 1:
            return in_worker(partial(_whole, make, options), otherwise=make)  # a network that kills is left to its run
    plans = make()
    if launched.number() == 0:
        check_buildable(plans, options, dry=dry)
    return plans


def _whole(make: Callable[..., list[Plan]], options: RunOptions) -> list[Plan]:
    """Return the plans with what only their strategies can say of them."""
    plans = make()
    check_buildable(plans, options)
    for item in plans:
        item.configuration  # noqa: B018 - and with it all values; both are kept and go along
    return plans
