"""`clbench report diff`."""

from __future__ import annotations

from pathlib import Path

import click

from clbench.cli import options
from clbench.cli.reports.collected import UNVERIFIED


@click.command("diff")
@click.argument("a")
@click.argument("b")
@options.several_results
def diff(a: str, b: str, results: tuple[Path, ...]) -> None:
    """Say which ingredients differ between two records or rows.

    A and B are record files, or folders of one configuration, which stand for all its seeds.

    \b
    Examples:
      clbench report diff results/tiny.v1/er results/tiny.v1/naive
      clbench report diff coco_b40c10.v1/er/0123abcd/seed0.json elsewhere/seed0.json
    """
    from clbench.records.collection import find, find_files
    from clbench.records.verify.verify import verify
    from clbench.report.table.diff import diff as differences
    from clbench.report.table.diff import explain

    wrong = [found for name in (a, b) for path in find_files(name, results=results) if not (found := verify(path)).ok]
    click.get_current_context().meta[UNVERIFIED] = len(wrong)
    for found in wrong:
        click.echo(f"Unverified: {found.path}: {found.findings[0]}")
    click.echo(explain(differences(find(a, results=results), find(b, results=results))), nl=False)
