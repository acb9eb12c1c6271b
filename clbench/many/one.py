"""One run of many: carried out, its outcome told, its failure kept."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clbench.errors import ClbenchError, DataError, RunError, TakenError, UsageError, not_allowed
from clbench.imports.uncollected import uncollected
from clbench.train.events import Message, RunFailed, Watch

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.train.options import RunOptions


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOutcome:
    """What became of one plan: the path of its record, or the error that stopped it."""

    plan: Plan
    record: Path | None = None
    error: ClbenchError | None = None


def check_recipes(plans: Sequence[Plan], options: RunOptions) -> None:
    """Raise UsageError where `--features` was asked for and a plan's recipe goes with no stored features."""
    if options.features != "off":
        from clbench.train.stored_features import check_recipe

        for plan in plans:
            check_recipe(plan.train, kind=options.features)


def one(plan: Plan, options: RunOptions, watch: Watch) -> RunOutcome:
    """Carry out one plan; whatever goes wrong, in a strategy's own code too, is its outcome."""
    with uncollected():
        from clbench.train.run import run

    try:
        return RunOutcome(plan, record=run(plan, options, watch=watch))
    except ClbenchError as error:
        return RunOutcome(plan, error=error)
    except PermissionError as error:
        log.debug("%s", plan.title, exc_info=error)
        return RunOutcome(plan, error=not_allowed(error))
    except (Exception, SystemExit) as error:  # a strategy that leaves the interpreter leaves its run alone
        log.debug("%s", plan.title, exc_info=error)
        return RunOutcome(plan, error=_crashed(plan, options, error))


def _crashed(plan: Plan, options: RunOptions, error: BaseException) -> RunError:
    """Return what to tell of an error that nobody expected; its traceback is kept in the run's work folder."""
    return RunError(f"{plan.title}: {crash_text(plan, error)}", hint=_keep_traceback(plan, options, error))


def crash_text(plan: Plan, error: BaseException) -> str:
    """Return what an error that nobody expected says, with the line of the strategy's file that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == str(plan.entry.path)] or frames[-1:]
    text = (str(error).strip() or "no message").splitlines()[0]
    return f"{own[0].filename}, line {own[0].lineno}: {type(error).__name__}: {text}"


def _keep_traceback(plan: Plan, options: RunOptions, error: BaseException) -> str:
    try:
        path = plan.place(options.results).work / "error.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except Exception:
        return ""  # what made the run fail may be what makes this fail
    return f"The whole traceback is in {path}"


def tell_failure(outcome: RunOutcome, watch: Watch) -> None:
    """Tell `watch` why a run has no record, where it has none."""
    if isinstance(outcome.error, TakenError):
        watch(Message(f"{outcome.plan.title}: left to the process that carries it out already"))
    elif outcome.error is not None:
        refused = isinstance(outcome.error, UsageError | DataError)
        watch(RunFailed(outcome.plan.title, str(outcome.error), refused=refused))
