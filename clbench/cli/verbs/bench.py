"""`clbench bench`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from clbench.cli import benchmarks
from clbench.cli.comparison import Comparison, shown
from clbench.cli.terminal import output
from clbench.errors import CheckError, RunError


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--list", "listing", is_flag=True, help="List the benchmarks and stop.")
@click.option("--quick", is_flag=True, help="Fewer rounds: less sure, much sooner.")
@click.option("--check", is_flag=True, help="Leave with exit code 6 when a target is missed.")
@click.option("--json", "kept", type=click.Path(dir_okay=False, path_type=Path), help="Write the numbers to this file.")
def command(names: tuple[str, ...], *, listing: bool, quick: bool, check: bool, kept: Path | None) -> None:
    """Measure clbench against named baselines, on this machine.

    Every benchmark runs its variants in turns in one process and one thread and prints ratios of medians. Without names
    all of them run, those for a GPU only where there is one. docs/performance.md says what the numbers mean.

    \b
    Examples:
      clbench bench --list
      clbench bench ap loop --quick
      clbench bench --json bench.json
    """
    found = benchmarks.chosen(names)
    if listing:
        output.table(["benchmark", ""], [[item.name, item.title] for item in found])
        return
    results: dict[str, list[Comparison]] = {}
    broken = []
    for item in found:
        click.secho(f"{item.name}: {item.title}", bold=True)
        sys.stdout.flush()
        results[item.name], status = benchmarks.run(item, quick=quick)
        if status:
            broken.append(item.name)
    _print_summary(results)
    if kept:
        plain = {name: [asdict(c) | {"met": c.met} for c in items] for name, items in results.items()}
        kept.write_text(json.dumps(plain, indent=1), encoding="utf-8")
    if broken:
        raise RunError(f"benchmarks that did not get to their end: {', '.join(broken)}.")
    missed = [c for items in results.values() for c in items if c.met is False]
    if check and missed:
        raise CheckError(f"{len(missed)} targets are missed.", hint="A busy machine can be the reason; try again.")


def _print_summary(results: dict[str, list[Comparison]]) -> None:
    rows = [
        [name, item.what, f"{shown(item.value)} {item.unit}", item.baseline, item.target, _verdict(item)]
        for name, items in results.items()
        for item in items
        if item.met is not None
    ]
    if rows:
        click.echo()
        output.table(["benchmark", "what", "measured", "against", "target", ""], rows, title="Targets")


def _verdict(item: Comparison) -> str:
    return "met" if item.met else "MISSED"
