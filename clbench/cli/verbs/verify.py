"""`clbench verify`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import options
from clbench.cli.terminal.output import printable
from clbench.cli.terminal.progress import watching
from clbench.errors import CheckError, ClbenchError, UsageError

if TYPE_CHECKING:
    from clbench.records.verify.findings import Finding, Verification

FILE = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command()
@click.argument("records", nargs=-1, type=click.Path(path_type=Path))
@options.results
@options.reference
@click.option("--scores", is_flag=True, help="Score again: compute every AP and count from the stored score files.")
@click.option("--rerun", is_flag=True, help="Carry out each run again, in a temporary folder, and compare the numbers.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for --scores and --rerun.")
@click.option("--strategy", type=FILE, help="The strategy's file, for --rerun, where it is not found by name.")
@click.option("--scenario", type=FILE, help="The scenario's file, where it is not found by name.")
@click.option("--submit", is_flag=True, help="Copy what is right into results/reference of this checkout.")
def command(
    records: tuple[Path, ...],
    results: Path,
    reference: bool | None,
    scores: bool,
    rerun: bool,
    data: Path | None,
    strategy: Path | None,
    scenario: Path | None,
    submit: bool,
) -> None:
    """Check that records are whole and their numbers agree.

    Without RECORDS, all of the results folder, or those that clbench ships where it has none. The exit code is 6 when
    something is wrong. With --scores, records whose scenario or data are not here are told apart, and the exit code is
    2 or 3 then.

    A run leaves its strategy's file and its scenario beside its scores. --scores takes that scenario where none of its
    name is here; --strategy and --scenario run them again. Read a stranger's strategy first: it is carried out.

    \b
    Examples:
      clbench verify
      clbench verify results/tiny.v1/er/0123abcd/seed0.json --scores
      clbench verify results/tiny.v1/er/0123abcd/seed0.json --rerun
      clbench verify theirs/seed0.json --rerun --strategy theirs/seed0/mine.py --scenario theirs/seed0/own.yaml
      clbench verify results/coco_b40c10.v1.scenes/mine --scores --submit
    """
    from clbench.records.submission import submitted
    from clbench.records.verify.against_stream import verifications

    if data is not None and not (scores or rerun):
        raise UsageError("--data is read for --scores and --rerun only.")
    if (strategy and not rerun) or (scenario and not (scores or rerun)):
        raise UsageError("--strategy is read for --rerun only, --scenario for --scores and --rerun.")
    if submit and not (records and scores):
        raise UsageError("--submit takes the RECORDS to submit, and --scores.")
    count = wrong = 0
    right: list[Verification] = []
    unscored: list[ClbenchError] = []
    for verification in verifications(
        records, results=results, reference=reference, scores=scores, data=data, scenario=scenario
    ):
        if rerun and verification.ok:
            verification = _run_again(verification, data=data, strategy=strategy, scenario=scenario)
        click.echo(f"{verification.level:<10}  {verification.path}")
        for finding in verification.findings:
            click.echo(f"            {printable(str(finding))}")
        if verification.copy:
            told = f"no scenario {verification.copy.stem} is here; by its copy beside the scores"
            click.echo(f"            {printable(told)}")
        if verification.unscored:
            click.echo(f"            not scored: {printable(verification.unscored.message)}")
            unscored.append(verification.unscored)
        count, wrong = count + 1, wrong + (not verification.ok)
        right += [verification] if verification.ok and not verification.unscored else []
    reached = "reproduced" if rerun else "re-scored" if scores else "consistent"
    click.echo(f"{len(right)} of {count} records are {reached}.")
    if scores:
        from clbench.records.data_since import sampled

        rescored = [verification.record for verification in right if verification.record is not None]
        for sample in filter(None, dict.fromkeys(sampled(rescored, data=data))):
            click.echo(f"{sample}.")
    if wrong:
        raise CheckError(f"{wrong} of {count} records are not what a run {'gives' if rerun else 'wrote'}.")
    if unscored:
        first = unscored[0]
        told = f"{len(unscored)} of {count} records could not be scored again. {first.message}"
        raise type(first)(told, hint=first.hint)
    for path in submitted(right) if submit else []:
        click.echo(f"submitted  {path}")


def _run_again(
    verification: Verification, *, data: Path | None, strategy: Path | None, scenario: Path | None
) -> Verification:
    from clbench.train.rerun import reproduce
    from clbench.train.stopping import leaving_nothing

    assert verification.path is not None
    passing = tempfile.TemporaryDirectory(prefix="clbench-rerun-")
    with passing as folder, watching(quiet=False) as watch, leaving_nothing():
        found = reproduce(
            verification.path, Path(folder), data=data, strategy=strategy, scenario=scenario, watch=watch
        ) or _judged_apart(folder, data=data, scenario=scenario)
    level = "unverified" if found else "reproduced"
    from clbench.records.verify.findings import Verification

    return Verification(verification.path, level, tuple(found), verification.record)


def _judged_apart(folder: str, *, data: Path | None, scenario: Path | None) -> list[Finding]:
    """Score the new run again where its strategy was never imported: here it may have changed what computes."""
    from clbench.records.verify.findings import Finding

    command = [sys.executable, "-m", "clbench", "verify", "--results", folder, "--scores"]
    given = {"--data": data, "--scenario": scenario}
    command += [word for option, path in given.items() if path for word in (option, str(path))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    told = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.startswith(" ")]
    return [
        Finding("the run", f"gives numbers that its own scores do not: {told[0] if told else 'see verify --scores'}")
    ]
