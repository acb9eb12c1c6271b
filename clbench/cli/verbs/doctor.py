"""`clbench doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from clbench.cli import options
from clbench.cli.terminal import output
from clbench.errors import CheckError

if TYPE_CHECKING:
    from clbench.cli.installation import Health

SIGNS = {"ok": "ok", "note": "--", "bad": "BAD"}


@click.command()
@options.results
@click.option("--thorough", is_flag=True, help="Try the loop, torch and the solver too, which takes seconds.")
def command(results: Path, *, thorough: bool) -> None:
    """Look at this installation and say what is missing.

    Lines with -- are worth knowing and stop nothing; with BAD, runs would fail, and the exit code is 6. What is only
    looked at is tried with --thorough.

    \b
    Examples:
      clbench doctor
      clbench doctor --thorough --results /big/disk/results
    """
    from clbench.cli.installation import examine

    found = list(examine(results, thorough=thorough))
    output.table(["", "", ""], [[SIGNS[f.verdict], f.topic, _text(f)] for f in found])
    bad = [finding for finding in found if finding.verdict == "bad"]
    if bad:
        raise CheckError(f"{len(bad)} of {len(found)} findings stop clbench from working.", hint=bad[0].next_step)


def _text(finding: Health) -> str:
    return f"{finding.text}: {finding.next_step}" if finding.next_step else finding.text
