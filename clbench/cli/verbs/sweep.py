"""`clbench sweep`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clbench.cli import failures, options
from clbench.cli.terminal import output
from clbench.cli.terminal.progress import watching
from clbench.cli.where import Where
from clbench.errors import ResultsError, TakenError, UsageError

if TYPE_CHECKING:
    from clbench.cli.where import Carry
    from clbench.many.one import RunOutcome
    from clbench.plan.plan import Plan
    from clbench.records.record import Record
    from clbench.train.events import Watch


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="SWEEP.yaml...", type=click.Path(path_type=Path))
@options.orders_option
@options.results
@options.machine
@options.cluster
@options.pictures
@click.option("--dry-run", is_flag=True, help="List the runs and what they cost, and stop.")
@click.option("--calibrate", is_flag=True, help="With --dry-run: time a few batches of each configuration too.")
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
def command(
    files: tuple[Path, ...],
    *,
    orders: str,
    results: Path,
    device: str,
    jobs: int | None,
    threads: int,
    address: str | None,
    cpus_per_run: float | None,
    gpus_per_run: float | None,
    retries: int,
    workers: int,
    cache: bool | None,
    features: Any,
    dry_run: bool,
    calibrate: bool,
    quiet: bool,
) -> None:
    """Carry out many runs: scenarios x settings x strategies x class orders x seeds.

    What is finished is not repeated, what another process carries out is left to it, and a run that fails stops no
    other. So the same command may be started several times at once, on one machine or on many with one results folder.

    \b
    Examples:
      clbench sweep first-table.yaml --dry-run
      clbench sweep first-table.yaml --jobs 4
      clbench sweep first-table.yaml --address auto --gpus-per-run 0.25
    """
    from clbench.many.buildable import planned
    from clbench.many.sweep_file import expand_all, unfinished
    from clbench.train.options import RunOptions

    if calibrate and not dry_run:
        raise UsageError("--calibrate belongs to --dry-run.")
    where = Where(jobs, address, cpus_per_run, gpus_per_run, retries)
    how = RunOptions(results=results, device=device, workers=workers, cache=cache, features=features, threads=threads)
    here = address is None and not dry_run
    runs = partial(expand_all, files, orders=options.orders(orders), absent="counted" if dry_run else "refused")
    plans = planned(runs, how, jobs=jobs if here else 1, dry=dry_run)
    left = unfinished(plans, results)
    stand_ins = sorted({plan.scenario.dataset for plan in plans if plan.stand_in})
    if stand_ins:
        output.frame(_stand_in_text(stand_ins))
    if dry_run:
        pictures = {"workers": workers, "cache": cache, "features": features}
        _print_runs(plans, left, calibrate=calibrate, device=device, threads=threads, **pictures)
        if any(plan.stand_in for plan in left):
            _print_own_sum(unfinished(runs(own=True), results), datasets=stand_ins)
        return
    if not quiet:
        click.echo(f"{len(plans)} runs, {len(plans) - len(left)} of them finished before.", err=True)
    _look_at_records([plan for plan in plans if plan not in left], results)
    from clbench.plan.place import check_writable
    from clbench.watch.progress_file import followed

    check_writable(results)
    with watching(quiet=quiet) as terminal, followed(left, how, watch=terminal) as watch, where.opened(how) as carry:
        outcomes = _carried_out(left, carry, watch)
    _finish(outcomes, plans, results)


def _look_at_records(finished: list[Plan], results: Path) -> None:
    """Tell of records that are damaged, and of those whose data were changed since."""
    from clbench.cli.reports.collected import tell_changed
    from clbench.plan.plan import asked_for
    from clbench.records.record import read_record

    places: dict[tuple[str, Path | None], list[Record]] = {}
    for plan in finished:
        try:
            record = read_record(plan.place(results).record)
        except ResultsError as error:
            click.echo(f"{plan.title}: {error}", err=True)
        else:
            places.setdefault((asked_for(plan), plan.root), []).append(record)
    for (scenario, data), records in places.items():
        tell_changed(records, scenario=scenario, data=data)


def _stand_in_text(datasets: list[str]) -> str:
    return (
        f"STAND-IN: {', '.join(datasets)} not on this machine. Those runs use generated pictures.\n"
        f"Their numbers say nothing about {', '.join(datasets)} and never enter its table.\n"
        f"Get the data: clbench data get {datasets[0]}, or name its folder under `data:` in the sweep file"
    )


def _carried_out(plans: list[Plan], carry: Carry, watch: Watch) -> list[RunOutcome]:
    """Carry out the plans, and look once more at those that other processes had taken."""
    outcomes = carry(plans, watch)
    taken = [outcome.plan for outcome in outcomes if _is_taken(outcome)]
    if not taken or len(taken) == len(plans):
        return outcomes
    return [outcome for outcome in outcomes if not _is_taken(outcome)] + carry(taken, watch)


def _is_taken(outcome: RunOutcome) -> bool:
    return isinstance(outcome.error, TakenError)


def _print_runs(plans: list[Plan], left: list[Plan], *, calibrate: bool, **how: Any) -> None:
    """List every run with its state and its cost; seeds of one configuration cost the same."""
    from clbench.cli.terminal.costs import DISPENSABLE, HEADS, cells, print_sum, print_times, print_unknown
    from clbench.cost.estimate import Estimate, estimate

    costs: dict[str, Estimate] = {}
    how["streams"] = {}
    rows = []
    for plan in plans:
        name = plan.named
        if name not in costs:
            costs[name] = estimate(plan, calibrate=calibrate, **how)
        images = f"{plan.dataset}{' (stand-in)' if plan.stand_in else ''}"
        state = "to do" if plan in left else "finished"
        rows.append([name, str(plan.seed), images, state, *cells(costs[name])])
    heads = ["run", "seed", "images of", "state", *HEADS]
    title = f"{len(plans)} run{'s' * (len(plans) != 1)}, {len(left)} to do"
    output.table(heads, rows, title=title, dispensable=DISPENSABLE[calibrate], whole="a wider terminal, or | less -S")
    if left:
        to_pay = [costs[plan.named] for plan in left]
        print_sum(left, to_pay)
        if not any(plan.stand_in for plan in left):
            print_unknown(left, to_pay)
        if calibrate:
            print_times(left, to_pay)


def _print_own_sum(plans: list[Plan], *, datasets: list[str]) -> None:
    """Say what the runs come to on the data sets themselves, whose place stand-ins took above, as far as pins say."""
    from clbench.cli.terminal.costs import print_sum, print_unknown
    from clbench.cost.estimate import Estimate, estimate

    if any(plan.stand_in for plan in plans):
        names = sorted({plan.scenario.name for plan in plans if plan.stand_in})
        output.say(f"On {', '.join(datasets)}: not known, as {', '.join(names)} has no pins that count images.")
        return
    costs: dict[str, Estimate] = {}
    for plan in plans:
        if plan.named not in costs:
            costs[plan.named] = estimate(plan)
    to_pay = [costs[plan.named] for plan in plans]
    print_sum(plans, to_pay, where=f"On {', '.join(datasets)}, without the stand-in")
    print_unknown(plans, to_pay)


def _finish(outcomes: list[RunOutcome], plans: list[Plan], results: Path) -> None:
    """Say what became of the runs, and raise for what failed."""
    taken = [outcome for outcome in outcomes if _is_taken(outcome)]
    failed = [outcome for outcome in outcomes if outcome.error is not None and outcome not in taken]
    done = len(plans) - len(taken) - len(failed)
    click.echo(f"{done} of {len(plans)} runs have their record in {results}.")
    if taken:
        click.echo(f"{len(taken)} are being carried out by other processes: clbench status")
    for name in dict.fromkeys(plan.scenario.name for plan in plans if done):
        flag = "" if results == Path("results") else f" --results {results}"
        click.echo(f"clbench report leaderboard {name}{flag}")
    if failed:
        raise failures.of_runs(failed, len(plans))
