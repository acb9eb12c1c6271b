"""The public conformance battery: what every strategy promises, checked on a tiny generated scenario.

`clbench check NAME` runs it from the command line, `check_strategy` from Python, and `parametrize_with_checks` makes
one pytest case of every check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clbench.method.strategy import Strategy
from clbench.testing.battery import CHECKS, Check, chosen, examine
from clbench.testing.outcome import ConformanceError, Outcome
from clbench.testing.subject import Subject

__all__ = [
    "CHECKS",
    "Check",
    "ConformanceError",
    "Outcome",
    "Subject",
    "check_strategy",
    "examine",
    "parametrize_with_checks",
    "require",
]


def check_strategy(
    strategy: str | type[Strategy],
    *,
    head: str = "",
    fields: Mapping[str, Any] | None = None,
    checks: Sequence[str] = (),
) -> list[Outcome]:
    """Run the battery on a strategy, a class, a name or a path, and return every outcome when all is well.

    `head` and `fields` replace defaults; `checks` names those to run (default: all). Takes seconds on a CPU and needs
    no data. Raises ConformanceError for the first check that fails, after all of them have run.
    """
    subject = Subject(strategy, head=head, fields=fields)
    outcomes = [examine(subject, check=check) for check in chosen(checks)]
    for outcome in outcomes:
        if outcome.status == "failed":
            raise failure(subject, outcome)
    return outcomes


def require(subject: Subject, check: Check) -> None:
    """Raise ConformanceError when the check fails; skip the pytest case when it cannot be run."""
    outcome = examine(subject, check=check)
    if outcome.status == "failed":
        raise failure(subject, outcome)
    if outcome.status == "not run":
        import pytest

        pytest.skip(outcome.note)


def failure(subject: Subject, outcome: Outcome) -> ConformanceError:
    """Return the error that says what was found, where to look and what to do."""
    found, look, mend = outcome.lines
    return ConformanceError(f"{subject.name}: {outcome.check}: {found}.\n  {look}", hint=mend)


def parametrize_with_checks(
    strategies: Sequence[str | type[Strategy]], *, heads: Sequence[str] = ("",)
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a pytest decorator that calls a test once per strategy and check.

        @parametrize_with_checks([Mine, "er"])
        def test_my_strategies(subject, check):
            require(subject, check)

    `heads` examines every strategy once per head; an empty text stands for the strategy's own.
    """
    import pytest

    subjects = [Subject(strategy, head=head) for strategy in strategies for head in heads]
    cases = [
        pytest.param(subject, check, id=f"{subject.name.replace(' with head ', '+')}-{check.name}")
        for subject in subjects
        for check in CHECKS
    ]
    return pytest.mark.parametrize(("subject", "check"), cases)
