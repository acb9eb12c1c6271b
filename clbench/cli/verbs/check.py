"""`clbench check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from clbench.cli import complete
from clbench.cli.source import checks
from clbench.cli.terminal import output
from clbench.errors import CheckError, UsageError, suggest

if TYPE_CHECKING:
    from clbench.testing import Outcome

SIGNS = {"passed": ("ok", "green"), "noted": ("ok", "green"), "failed": ("FAIL", "red"), "not run": ("--", "yellow")}


class _WithChecks(click.Command):
    """Ends its help with the checks themselves, so that the page says what is checked and nothing else."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line per check."""
        with formatter.section("Checks"):
            formatter.write_dl(list(checks().items()))


@click.command(cls=_WithChecks)
@click.argument("strategies", nargs=-1, type=complete.ONE_STRATEGY, metavar="[STRATEGY]...")
@click.option("--all", "everything", is_flag=True, help="Examine every strategy there is.")
@click.option(
    "--head", "heads", multiple=True, metavar="NAME", help="Examine with this head instead of the strategy's."
)
@click.option("--only", multiple=True, metavar="CHECK", help="Only these checks and what they need.")
@click.option("--list", "as_list", is_flag=True, help="Say what is checked.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    strategies: tuple[str, ...],
    *,
    everything: bool,
    heads: tuple[str, ...],
    only: tuple[str, ...],
    as_list: bool,
    as_json: bool,
) -> None:
    """Examine whether a strategy keeps the promises on which results rest.

    STRATEGY is a name or the path of a file. Each is run on a tiny generated scenario: no data is needed, seconds on a
    CPU. The exit code is 6 when a check fails.

    \b
    Examples:
      clbench check mine
      clbench check strategies/mine.py --head queries --head q2l
      clbench check --all
      clbench check --list
    """
    if as_list:
        _list(as_json=as_json)
        return
    names = [*strategies, *(_all() if everything else ())]
    if not names:
        raise UsageError("No strategy to examine.", hint="Name one, or give --all; clbench list strategies names them.")
    found = {title: outcomes for name in names for title, outcomes in _examined(name, heads, only, quiet=as_json)}
    if as_json:
        plain = {title: [asdict(outcome) for outcome in outcomes] for title, outcomes in found.items()}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    failed = {title: [o.check for o in outcomes if o.status == "failed"] for title, outcomes in found.items()}
    wrong = {title: checks for title, checks in failed.items() if checks}
    if wrong:
        told = "; ".join(f"{title}: {', '.join(checks)}" for title, checks in wrong.items())
        raise CheckError(f"{len(wrong)} of {len(found)} examined break a promise: {told}.")


def _all() -> list[str]:
    from clbench.plan import catalog

    return [entry.name for entry in catalog.strategies()]


def _list(*, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(checks(), indent=2, ensure_ascii=False))
        return
    output.table(["check", ""], [[name, sentence] for name, sentence in checks().items()])


def _examined(
    name: str, heads: tuple[str, ...], only: tuple[str, ...], *, quiet: bool
) -> list[tuple[str, list[Outcome]]]:
    from clbench.nn.heads.by_name import HEADS
    from clbench.testing import Subject, examine
    from clbench.testing.battery import chosen

    for head in heads:
        if head not in HEADS:
            raise UsageError(f"There is no head '{head}'.{suggest(head, HEADS)}", hint="clbench list heads")
    found = []
    for head in heads or ("",):
        subject = Subject(name, head=head)
        if not quiet:
            click.echo(f"{subject.name} ({subject.entry.path})")
        outcomes = []
        for check in chosen(only):
            outcomes.append(examine(subject, check=check))
            if not quiet:
                _show(outcomes[-1])
        if not quiet:
            _sum_up(outcomes)
        found.append((subject.name, outcomes))
    return found


def _show(outcome: Outcome) -> None:
    sign, colour = SIGNS[outcome.status]
    note = output.printable(f" ({outcome.note})") if outcome.note else ""
    click.echo(f"  {click.style(sign.ljust(4), fg=colour)}  {outcome.check.ljust(36)}{outcome.sentence}{note}")
    for line in outcome.lines:
        click.echo(f"        {output.printable(line)}")


def _sum_up(outcomes: list[Outcome]) -> None:
    count = {status: sum(outcome.status == status for outcome in outcomes) for status in SIGNS}
    passed = count["passed"] + count["noted"]
    more = "".join(f", {count[status]} {status}" for status in ("failed", "not run") if count[status])
    click.echo(f"  {passed} of {len(outcomes)} promises kept{more}; {sum(o.seconds for o in outcomes):.1f} s")
