"""`clbench search`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clbench.cli import failures, options
from clbench.cli.terminal import output
from clbench.cli.terminal.progress import watching
from clbench.cli.where import Where
from clbench.train.events import Message

if TYPE_CHECKING:
    from clbench.many.one import RunOutcome
    from clbench.plan.plan import Plan
    from clbench.tune.study import Study

SHOWN = 5
"""Trials of each strategy that are listed at the end, the best ones."""


@click.command()
@click.argument("file", metavar="SEARCH.yaml", type=click.Path(path_type=Path))
@options.results
@options.machine
@options.cluster
@options.pictures
@click.option("--dry-run", is_flag=True, help="Say what is searched and what it costs, and stop.")
@click.option("--quiet", is_flag=True, help="Print nothing but the result.")
def command(
    file: Path,
    *,
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
    quiet: bool,
) -> None:
    """Search hyper-parameters on validation images, then run the best configuration.

    Trials are scored on images held out from train and never see a test image. What they leave is no row of any table;
    the runs of the best configuration are, and say how many trials it took. The same command goes on where it stopped,
    and within one version of Optuna the same file gives the same trials, whatever --jobs is and on a cluster too.

    \b
    Examples:
      clbench search search-lr.yaml --dry-run
      clbench search search-lr.yaml --jobs 4
      clbench search search-lr.yaml --address auto --gpus-per-run 0.25
    """
    from clbench.tune.search_file import load_search
    from clbench.tune.study import studies
    from clbench.tune.suggest import import_optuna

    where = Where(jobs, address, cpus_per_run, gpus_per_run, retries)
    import_optuna()
    found = studies(load_search(file), path=file, results=results)
    if found[0].base.stand_in:
        dataset = found[0].base.scenario.dataset
        output.frame(f"STAND-IN: {dataset} not on this machine. Trials and runs use generated pictures.")
    if dry_run:
        _print_plan(found)
        return
    from clbench.many.buildable import check_buildable
    from clbench.plan.place import check_writable
    from clbench.train.options import RunOptions
    from clbench.tune.carry_out import carry_out
    from clbench.watch.progress_file import followed

    check_writable(results)
    how = RunOptions(results=results, device=device, workers=workers, cache=cache, features=features, threads=threads)
    if not quiet:
        click.echo(_split_text(found), err=True)
    with watching(quiet=quiet) as watch, where.opened(how) as carry:

        def tried(plans: Sequence[Plan]) -> list[RunOutcome]:
            check_buildable(plans, how)
            return carry(plans, watch)

        carry_out(found, carry=tried, say=lambda text: watch(Message(text)))
        for study in found:
            _print_trials(study)
        finals = [plan for study in found for plan in study.final_plans()]
        with followed(finals, how, watch=watch) as told:
            outcomes = carry(finals, told)
    _finish(found, outcomes, results)


def _split_text(found: Sequence[Study]) -> str:
    stream = found[0].stream
    spec = found[0].spec
    trained = len({row for session in stream.sessions for row in session.rows.tolist()})
    images = f"Trials: {len(stream.sessions)} sessions, {trained:,} train images, scored on {len(stream.test_rows):,} "
    held = (
        "the scenario holds these out of the final runs too"
        if found[0].base.scenario.validation.fraction
        else ("the final runs train on them too")
    )
    done = sum(spec.trials - study.left for study in found)
    total = spec.trials * len(found)
    return f"{images}validation images ({held}).\n{total} trials, {done} of them finished before."


def _print_plan(found: Sequence[Study]) -> None:
    """List what is searched, how much is left, and what one trial costs."""
    from clbench.cost.estimate import estimate

    rows = []
    for study in found:
        cost = estimate(study.base)
        runs = study.left * len(study.spec.seeds)
        for place, dim in enumerate(study.dims):
            first = place == 0
            rows.append(
                [
                    study.title if first else "",
                    dim.text,
                    f"{study.spec.trials:,}" if first else "",
                    f"{study.left:,}" if first else "",
                    f"{runs * cost.image_steps:,}" if first else "",
                    f"{runs * cost.scored:,}" if first else "",
                ]
            )
    heads = ["search", "values", "trials", "to do", "images trained on", "images scored"]
    output.table(heads, rows)
    click.echo(_split_text(found))
    for note in filter(None, (study.version_note for study in found)):
        click.echo(f"{note}.")
    finals = len(found[0].spec.final_seeds or found[0].base.scenario.seeds)
    finals = 0 if found[0].spec.final_seeds == [] else finals
    click.echo(f"Then {finals} runs of each strategy's best configuration, scored on the test images.")


def _print_trials(study: Study) -> None:
    done = sorted(
        (trial for trial in study.trials if trial.value is not None), key=lambda t: (-(t.value or 0), t.number)
    )
    rows = [
        [str(trial.number), f"{100 * (trial.value or 0):.2f}", " ".join(study.texts(trial))] for trial in done[:SHOWN]
    ]
    failed = len(study.trials) - len(done)
    title = f"{study.title}: {len(study.trials)} trials" + (f", {failed} failed" if failed else "")
    output.table(["trial", f"{study.spec.objective} (validation)", "settings"], rows, title=title)


def _finish(found: Sequence[Study], outcomes: Sequence[RunOutcome], results: Path) -> None:
    """Say what became of the final runs, and raise for what failed."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if outcomes:
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} runs have their record in {results}.")
        flag = "" if results == Path("results") else f" --results {results}"
        click.echo(f"clbench report leaderboard {found[0].base.scenario.name}{flag}")
    else:
        for study in found:
            click.echo(f"{study.title}: {' '.join(study.texts(study.best()))}")
    if failed:
        raise failures.of_runs(failed, len(outcomes))
