"""`clbench verify`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.terminal.output import printable
from clbench.cli.terminal.progress import watching
from clbench.errors import CheckError, UsageError
from clbench.records.verify.findings import Finding, Verification


@click.command()
@click.argument("records", nargs=-1, type=click.Path(path_type=Path))
@options.results
@options.reference
@click.option("--scores", is_flag=True, help="Score again: compute every AP and count from the stored score files.")
@click.option("--rerun", is_flag=True, help="Carry out each run again, in a temporary folder, and compare the numbers.")
@click.option("--data", type=options.FOLDER, help="The data set's folder, for --scores and --rerun.")
@click.option("--submit", is_flag=True, help="Copy what is right into results/reference of this checkout.")
def command(
    records: tuple[Path, ...],
    results: Path,
    reference: bool | None,
    scores: bool,
    rerun: bool,
    data: Path | None,
    submit: bool,
) -> None:
    """Check that records are whole and their numbers agree.

    Without RECORDS, all of the results folder, or those that clbench ships where it has none. The exit code is 6 when
    something is wrong.

    \b
    Examples:
      clbench verify
      clbench verify results/tiny.v1/er/0123abcd/seed0.json --scores
      clbench verify results/tiny.v1/er/0123abcd/seed0.json --rerun
      clbench verify results/coco_b40c10.v1.scenes/mine --scores --submit
    """
    from clbench.records.submission import submitted
    from clbench.records.verify.against_stream import verifications

    if data is not None and not (scores or rerun):
        raise UsageError("--data is read for --scores and --rerun only.")
    if submit and not (records and scores):
        raise UsageError("--submit takes the RECORDS to submit, and --scores.")
    count = wrong = 0
    right = []
    for verification in verifications(records, results=results, reference=reference, scores=scores, data=data):
        if rerun and verification.ok:
            verification = _run_again(verification, data=data)
        click.echo(f"{verification.level:<10}  {verification.path}")
        for finding in verification.findings:
            click.echo(f"            {printable(str(finding))}")
        count, wrong = count + 1, wrong + (not verification.ok)
        right += [verification] if verification.ok else []
    reached = "reproduced" if rerun else "re-scored" if scores else "consistent"
    click.echo(f"{count - wrong} of {count} records are {reached}.")
    if wrong:
        raise CheckError(f"{wrong} of {count} records are not what a run {'gives' if rerun else 'wrote'}.")
    for path in submitted(right) if submit else []:
        click.echo(f"submitted  {path}")


def _run_again(verification: Verification, *, data: Path | None) -> Verification:
    from clbench.train.rerun import reproduce

    assert verification.path is not None
    with tempfile.TemporaryDirectory(prefix="clbench-rerun-") as folder, watching(quiet=False) as watch:
        found = reproduce(verification.path, Path(folder), data=data, watch=watch) or _judged_apart(folder, data=data)
    level = "unverified" if found else "reproduced"
    return Verification(verification.path, level, tuple(found), verification.record)


def _judged_apart(folder: str, *, data: Path | None) -> list[Finding]:
    """Score the new run again where its strategy was never imported: here it may have changed what computes."""
    command = [sys.executable, "-m", "clbench", "verify", "--results", folder, "--scores"]
    done = subprocess.run([*command, *(["--data", str(data)] if data else [])], capture_output=True, text=True)
    if done.returncode == 0:
        return []
    told = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.startswith(" ")]
    return [
        Finding("the run", f"gives numbers that its own scores do not: {told[0] if told else 'see verify --scores'}")
    ]
