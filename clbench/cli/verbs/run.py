"""`clbench run`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clbench.cli import complete, failures, options
from clbench.cli.terminal import output
from clbench.cli.terminal.progress import watching
from clbench.errors import CheckError, UsageError

if TYPE_CHECKING:
    from clbench.many.one import RunOutcome
    from clbench.plan.plan import Plan


@click.command()
@click.argument("scenario", type=complete.SCENARIO)
@options.choice
@options.orders_option
@options.results
@options.machine
@options.pictures
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Share every run between so many processes of this machine, one GPU each; torchrun or --address does it on "
    "several.",
)
@click.option("--address", metavar="ADDRESS", help="With --devices: on a Ray cluster, auto, local or HOST:PORT.")
@click.option(
    "--save-minutes",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How often the state is saved inside a session; 0 after every step.",
)
@click.option("--no-resume", is_flag=True, help="Start afresh: ignore records and saved states.")
@click.option("--dry-run", is_flag=True, help="Say what would run and what it would cost, and stop.")
@click.option(
    "--calibrate", is_flag=True, help="With --dry-run: run a few images of each session too, for time and memory."
)
@click.option("--keep-weights", is_flag=True, help="Keep the weights of every session, for clbench explain.")
@click.option("--keep-scores", is_flag=True, help="Keep the scores of sessions that have more than 1 GiB of them, too.")
@click.option(
    "--log",
    "logs",
    multiple=True,
    type=click.Choice(["csv", "tensorboard", "wandb"]),
    help="Log beside the record too; repeat for several. wandb writes offline unless WANDB_MODE says otherwise.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
def command(
    scenario: str,
    *,
    orders: str | None,
    results: Path,
    device: str,
    jobs: int | None,
    workers: int,
    cache: bool | None,
    features: Any,
    threads: int,
    devices: int,
    address: str | None,
    save_minutes: float,
    no_resume: bool,
    dry_run: bool,
    calibrate: bool,
    keep_weights: bool,
    keep_scores: bool,
    logs: tuple[str, ...],
    quiet: bool,
    **chosen: Any,
) -> None:
    """Train and evaluate strategies on a scenario.

    SCENARIO is a name or the path of a scenario file. A run that is finished is not repeated, and one that was stopped
    goes on where it was. At the end the leaderboard is printed and written into the results folder with the mAP curves.

    \b
    Examples:
      clbench run coco_b40c10
      clbench run scenarios/coco_b40c10.yaml --strategy er,dlfl --seed 0,1,2
      clbench run coco_b40c10 --strategy mine.py --set mine.weight=2 --data /data/coco
      clbench run coco_b40c10 --strategy er,lwf --orders 5
      clbench run coco_b40c10 --dry-run
      clbench run coco_b40c10 --strategy dlfl --devices 4
    """
    from clbench.many.buildable import planned
    from clbench.plan.plans import plan
    from clbench.plan.source import stand_in_text
    from clbench.ranks import launched
    from clbench.train.options import RunOptions

    if calibrate and not dry_run:
        raise UsageError("--calibrate belongs to --dry-run.")
    _check_devices(devices, jobs=jobs, calibrate=calibrate, address=address)
    asked = options.parsed(**chosen) | {"orders": options.orders(orders), "absent": "counted" if dry_run else "refused"}
    if asked.get("data") is not None:
        _look_inside(scenario, asked["data"])
    how = RunOptions(
        results=results,
        device=device,
        workers=workers,
        threads=threads,
        cache=cache,
        features=features,
        save_minutes=save_minutes,
        resume=not no_resume,
        keep_weights=keep_weights,
        keep_scores=keep_scores,
    )
    plans = planned(partial(plan, scenario, **asked), how, jobs=1 if dry_run or devices > 1 else jobs, dry=dry_run)
    # of several processes the first speaks, or who started them with --devices
    if plans[0].stand_in and launched.number() == 0 and 1 in (devices, launched.processes()):
        output.frame(stand_in_text(plans[0].scenario.dataset, pictures=plans[0].dataset))
    _tell_weights(plans[0])
    if dry_run:
        from clbench.cli.terminal.costs import print_costs

        pictures = {"workers": workers, "cache": cache, "features": features, "keep_scores": keep_scores}
        print_costs(plans, calibrate=calibrate, device=device, threads=threads, **pictures)
        return
    from clbench.many.here import run_all
    from clbench.plan.place import check_writable
    from clbench.watch.progress_file import followed

    check_writable(results)
    if address and launched.processes() == 1:
        from clbench.many.ray import together

        cpus = float(threads + (max(workers, 0)))
        together.launch(devices, sys.argv[1:], address=address, device=device, cpus=cpus, say=_pass_on)
        return
    if devices > 1 and launched.processes() == 1:
        from clbench.many.several_devices import launch

        launch(devices, sys.argv[1:], device=device)
        return
    with watching(quiet=quiet) as terminal, followed(plans, how, watch=terminal, kinds=logs) as watch:
        outcomes = run_all(plans, how, jobs=jobs, watch=watch)
    if launched.number() == 0:
        _finish(outcomes, results)


def _tell_weights(first: Plan) -> None:
    """Say that weights will be fetched first: on a node without a network the run would end there."""
    from clbench.weights.hub import HUB

    if first.weights.name == HUB and first.weights.path is None:
        backbone = first.train.backbone
        click.echo(
            f"The weights of {backbone} are not on this machine: fetched from timm's hub before anything else. Where "
            f"there is no network: clbench weights get {backbone} elsewhere, see docs/offline.md",
            err=True,
        )


def _look_inside(scenario: str, data: Path) -> None:
    """Raise DataError where nothing of the data set lies in `--data`; a run finds that out after importing torch."""
    from clbench.data.datasets.registry import DATASETS, open_table
    from clbench.plan.catalog import find_scenario
    from clbench.plan.plan import shown
    from clbench.plan.source import find_source
    from clbench.spec.scenario import load_scenario

    found = find_scenario(scenario)
    source = find_source(load_scenario(found.path, source=shown(found)), path=found.path, data=data)
    known = DATASETS.get(source.dataset)
    if known is not None and source.root is not None:
        tops = {line.replace("/", " ").split()[0] for line in known.layout}
        if not any((source.root / top).exists() for top in tops):
            open_table(source.dataset, root=source.root, options=source.options, photos=False)


def _check_devices(devices: int, *, jobs: int | None, calibrate: bool, address: str | None) -> None:
    """Raise UsageError where several processes for each run go with something else that was asked for, or that is."""
    from clbench.ranks import launched

    if devices == 1 and address:
        raise UsageError(
            f"--address {address}: one process of a run needs no cluster.",
            hint="Share a run with --devices N too, or hand out many runs with clbench sweep.",
        )
    if devices == 1:
        return
    if jobs is not None:
        raise UsageError("--devices and --jobs exclude each other: with --devices one run follows the other.")
    if calibrate:
        raise UsageError("--calibrate times one process; leave out --devices.")
    if launched.processes() not in {1, devices}:
        raise UsageError(
            f"--devices {devices}, and torchrun started {launched.processes()} processes.", hint="Leave out --devices."
        )


def _pass_on(said: tuple[str, str]) -> None:
    """Print a line that a process on another machine has printed."""
    stream, text = said
    click.echo(text, err=stream == "err")


def _finish(outcomes: list[RunOutcome], results: Path) -> None:
    """Print table and paths of what finished; raise for what failed, and where a record is unverified."""
    records = [outcome.record for outcome in outcomes if outcome.record is not None]
    wrong: list[Path] = []
    if records:
        from clbench.cli.terminal.after_run import print_results

        wrong = print_results(records, outcomes[0].plan, results)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed:
        raise failures.of_runs(failed, len(outcomes))
    if wrong:
        raise CheckError(
            f"{wrong[0]} is unverified, so its row has no rank"
            + (f"; {len(wrong)} of {len(records)} records are." if len(wrong) > 1 else "."),
            hint=f"What is wrong: clbench verify {wrong[0]}; to run it anew: --no-resume",
        )
