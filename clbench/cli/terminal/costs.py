"""What a dry run prints: the counts of every run and, where that was asked for, time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from clbench.cli.terminal import output
from clbench.cli.terminal.progress import seconds_text

if TYPE_CHECKING:
    from clbench.cost.clocks import Spent
    from clbench.cost.estimate import Estimate
    from clbench.plan.plan import Plan

HEADS = ["sessions", "images trained on", "steps", "images scored", "on disk", "memory", "time", "CPU time"]

DISPENSABLE = {
    False: ("CPU time", "time", "memory", "images of", "sessions", "images scored", "on disk", "state"),
    True: ("images of", "sessions", "images scored", "on disk", "steps", "images trained on", "state", "CPU time"),
}
"""Columns of a sweep's dry run that a narrow terminal does without, in this order; by whether it was calibrated."""


def cells(cost: Estimate) -> list[str]:
    """Return one run's cells under `HEADS`."""
    stored = cost.cache_bytes + cost.score_bytes + (cost.feature_bytes or 0)
    spent = cost.spent
    return [
        str(len(cost.sessions)),
        f"{cost.image_steps:,}",
        f"{cost.steps:,}",
        f"{cost.scored:,}",
        f"{stored / 1e6:,.0f} MB{' and features' if cost.feature_bytes is None else ''}",
        "?" if cost.memory_bytes is None else f"{cost.memory_bytes / 1e6:,.0f} MB",
        "?" if spent is None else seconds_text(spent.wall),
        "" if spent is None else seconds_text(spent.cpu),
    ]


def print_costs(plans: list[Plan], *, calibrate: bool, device: str, threads: int, **pictures: Any) -> None:
    """Print what each configuration costs; its seeds cost the same. `pictures` are --workers, --cache, --features."""
    from clbench.cost.estimate import estimate

    seeds = len({plan.seed for plan in plans})
    orders = list(dict.fromkeys(plan.order for plan in plans))
    chosen = [plan for plan in plans if plan.seed == plans[0].seed]
    pictures["streams"] = {}
    costs = [estimate(plan, calibrate=calibrate, device=device, threads=threads, **pictures) for plan in chosen]
    rows = [
        [" · ".join(filter(None, [plan.entry.name, plan.order])), *cells(cost)]
        for plan, cost in zip(chosen, costs, strict=True)
    ]
    several = f"{len(orders)} class orders and " if len(orders) > 1 else ""
    output.table(
        ["strategy", *HEADS],
        rows,
        title=f"{plans[0].scenario.name} on {plans[0].dataset}, each of {several}{seeds} seed{'s' * (seeds > 1)}",
    )
    print_unknown(chosen, costs)
    if calibrate:
        print_times(seeds * chosen, seeds * costs)
    else:
        click.echo("Memory and time: --calibrate")


def print_sum(plans: list[Plan], costs: list[Estimate], *, where: str = "To do") -> None:
    """Print what the runs `plans`, which cost `costs`, come to; pictures that several of them keep count once."""
    kept = {
        (plan.dataset, str(plan.options), plan.train.image_size): cost.cache_bytes
        for plan, cost in zip(plans, costs, strict=True)
    }
    scores = sum(cost.score_bytes for cost in costs)
    generated = sum(plan.stand_in for plan in plans)
    some = f" ({'all' if generated == len(plans) else generated} on generated pictures)" if generated else ""
    output.say(
        f"{where}: {len(plans)} run{'s' * (len(plans) != 1)}{some}, "
        f"{sum(cost.image_steps for cost in costs):,} images trained on in "
        f"{sum(cost.steps for cost in costs):,} steps, {sum(cost.scored for cost in costs):,} images scored; on disk "
        f"{sum(kept.values()) / 1e6:,.0f} MB of pictures and {scores / 1e6:,.0f} MB of scores."
    )


def print_unknown(plans: list[Plan], costs: list[Estimate]) -> None:
    """Say of runs whose data set is not here what their costs are taken from, and what is not in them."""
    missing: dict[str, dict[str, None]] = {}
    for plan, cost in zip(plans, costs, strict=True):
        for what in cost.unknown:
            missing.setdefault(what, {})[plan.entry.name] = None
    absent = [plan for plan in plans if plan.absent]
    if not absent:
        return
    datasets, strategies = sorted({plan.dataset for plan in absent}), {plan.entry.name for plan in absent}
    told = [what if set(of) == strategies else f"{what} ({', '.join(of)})" for what, of in missing.items()]
    output.say(
        f"{', '.join(datasets)}: not on this machine, so images per session are those of the pins. Not counted: "
        f"{'; '.join(told)}. To run them: clbench data get {datasets[0]}"
    )


def print_times(plans: list[Plan], costs: list[Estimate]) -> None:
    """Print what the runs take one after the other, where it goes, and what is in it; of those that could be timed."""
    timed = [(plan, cost) for plan, cost in zip(plans, costs, strict=True) if not plan.absent]
    if len(timed) < len(plans):
        without = len(plans) - len(timed)
        output.say(f"Not timed, as their data set is not here: {without} run{'s' * (without != 1)} of {len(plans)}.")
    if not timed:
        return
    backbone, costs = timed[0][0].train.backbone, [cost for _, cost in timed]
    from clbench.cost.calibrate import start_of_a_process
    from clbench.cost.clocks import Spent
    from clbench.cost.estimate import INCLUDED, together

    start = start_of_a_process(backbone)
    total = start + together(costs)
    output.say(f"One after the other: {_both(total)}.")
    spent: dict[str, Spent] = {"starting": start}
    for cost in costs:
        for name, part in cost.parts.items():
            spent[name] = spent.get(name, Spent()) + part
    once = {name: part for cost in costs for name, part in cost.once.items()}
    output.say("Of it: " + ", ".join(f"{name} {seconds_text(part.wall)}" for name, part in spent.items()) + ".")
    for name, part in once.items():
        output.say(f"Not kept yet, so made by the first run: {name}, {_both(part)}.")
    output.say(f"Included: {INCLUDED}.")
    mapped = max(cost.mapped_bytes for cost in costs)
    pages = f", up to {mapped / 1e6:,.0f} MB of it kept pictures and features that can leave it again" if mapped else ""
    output.say(f"Memory: the most that a run's process, or its GPU, holds at once{pages}.")
    output.say("On a busy machine compare CPU time: the wall clock counts the neighbours too.")


def _both(spent: Spent) -> str:
    return f"{seconds_text(spent.wall)}, {seconds_text(spent.cpu)} of CPU time"
