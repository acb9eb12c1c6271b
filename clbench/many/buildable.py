"""The plans of a command, each of which can be built: found out before the first of them trains.

Where worker processes carry the runs out, one of these makes and builds the plans too: they have torch, and nobody else
needs it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clbench.errors import ClbenchError, RunError, UsageError
from clbench.imports.uncollected import uncollected
from clbench.many.fork_server import in_worker
from clbench.many.here import default_jobs
from clbench.many.one import crash_text
from clbench.ranks import launched

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions

log = logging.getLogger(__name__)


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


def check_buildable(plans: Sequence[Plan], options: RunOptions, *, dry: bool = False) -> None:
    """Build the network of every configuration once and drop it; raise UsageError naming those that refuse.

    Weights are not read and pictures not looked at, and torch's random numbers stay where they are. What is wrong with
    data, or crashes, is left to the runs, which the others need not wait for. Finished runs are passed over. A `dry`
    run asks all, and raises RunError for what crashes. A single run is given the stream that it was looked at with;
    of several each builds its own, which no strategy of another has seen.
    """
    refused: dict[str, tuple[UsageError, list[str]]] = {}
    crashed: dict[str, str] = {}
    asked: set[Any] = set()
    streams: dict[Any, Any] = {}
    for plan in plans:
        if not dry and _is_finished(plan, options):
            continue
        what = (plan.scenario_path, plan.order, plan.dataset, plan.root, plan.entry.path, plan.configuration)
        if what in asked:
            continue
        asked.add(what)
        with uncollected():
            from clbench.train.put_together import put_together
        try:
            put_together(plan, options, streams=streams)
        except UsageError as error:
            refused.setdefault(str(error), (error, []))[1].append(plan.named)
        except ClbenchError as error:
            log.debug("%s: left to the run", plan.named, exc_info=error)
        except (Exception, SystemExit) as error:  # as a run has it
            log.debug("%s: left to the run", plan.named, exc_info=error)
            crashed[plan.named] = crash_text(plan, error)
    if refused:
        raise _refused(refused, len(asked))
    if len(plans) == 1 and not dry:  # an estimate takes the time of building it
        for stream in streams.values():
            plans[0].keep_stream(stream)
    if crashed and dry:
        raise RunError("\n".join(f"{name}: {text}" for name, text in crashed.items()))


def _is_finished(plan: Plan, options: RunOptions) -> bool:
    with contextlib.suppress(OSError, ClbenchError):
        return options.resume and plan.place(options.results).record.exists()
    return False


def _refused(refused: dict[str, tuple[UsageError, list[str]]], count: int) -> UsageError:
    """Return one error that names every configuration that cannot be built, and why."""
    told = [(_named(error.message, names), error.hint) for error, names in refused.values()]
    if len(told) == 1:
        return UsageError(told[0][0], hint=told[0][1])
    lines = "\n".join(f"{message}\n  {hint}" if hint else message for message, hint in told)
    number = sum(len(names) for _, names in refused.values())
    return UsageError(f"{number} of {count} configurations cannot run.\n{lines}")


def _named(message: str, names: Sequence[str]) -> str:
    return message if message.startswith(names[0]) else f"{', '.join(names)}: {message}"
