"""Carrying out a search: batch after batch of trials, each scored on the validation images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from clbench.errors import ClbenchError, CutOffError, DataError, ResultsError, RunError, TakenError, UsageError
from clbench.many.one import RunOutcome
from clbench.records.record import read_record
from clbench.tune.journal import Trial, held, read_journal
from clbench.tune.suggest import import_optuna

if TYPE_CHECKING:
    from clbench.plan.plan import Plan
    from clbench.tune.study import Study

Carry = Callable[[Sequence["Plan"]], list[RunOutcome]]


def carry_out(studies: Sequence[Study], *, carry: Carry, say: Callable[[str], None]) -> None:
    """Make the trials of all studies that are not made yet; `carry` carries out runs, `say` is told what came of them.

    A trial that diverges, or whose strategy raises, has no value and is not repeated. What has nothing to do with its
    settings, such as missing data, a full disk or a killed process, stops the search, and the same call goes on from
    there. Raises ClbenchError, RunError too where all trials of a study's first batch fail. Raises UsageError in a
    process that torchrun started.
    """
    import_optuna()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "A search is started once and not by torchrun.",
            hint="Its runs go side by side with --jobs, or on a cluster with --address.",
        )
    with contextlib.ExitStack() as stack:
        for study in studies:
            stack.enter_context(held(study.journal_file, title=study.title))
            study.journal = read_journal(study.journal_file, about=study.journal.about)
            if study.version_note:
                say(study.version_note)
        while due := [(study, trial) for study in studies for trial in study.due()]:
            _one_batch(due, carry=carry, say=say)


def _one_batch(due: list[tuple[Study, Trial]], *, carry: Carry, say: Callable[[str], None]) -> None:
    wanted = {id(trial): study.plans(trial) for study, trial in due}
    # a sampler may suggest the same twice, and no two processes carry out the same run at the same time
    runs = {_key(plan): plan for plans in wanted.values() for plan in plans}
    outcomes = dict(zip(runs, carry(list(runs.values())), strict=True))
    stopped: list[ClbenchError] = []
    for study, trial in due:
        found = [outcomes[_key(plan)] for plan in wanted[id(trial)]]
        errors = [outcome.error for outcome in found if outcome.error is not None]
        outside = [error for error in errors if _comes_from_outside(error)]
        stopped += outside
        if not outside:
            _settle(study, trial, found, errors)
            say(f"{study.title} · trial {trial.number}: {_told(study, trial)}")
    for study in {id(study): study for study, _ in due}.values():
        study.save()
    for outcome in outcomes.values():
        _drop_scores(outcome)
    if stopped:
        raise RunError(
            f"The search stopped: {stopped[0].message}", hint=f"{stopped[0].hint}\n  The same command goes on.".strip()
        )
    for study, _ in due:
        if all(trial.state == "failed" for trial in study.trials):
            raise RunError(
                f"{study.title}: all {len(study.trials)} trials so far failed, the first one so: "
                f"{study.trials[0].error}",
                hint=f"Mend the cause, delete {study.journal_file}, and start again.",
            )


def _key(plan: Plan) -> str:
    return f"{plan.entry.path} {plan.configuration} {plan.seed}"


def _comes_from_outside(error: ClbenchError) -> bool:
    """Return whether an error says nothing of the settings that were tried."""
    return isinstance(error, (CutOffError, TakenError, DataError, ResultsError, UsageError))


def _settle(study: Study, trial: Trial, found: Sequence[RunOutcome], errors: Sequence[ClbenchError]) -> None:
    """Write into the trial what its runs came to."""
    if errors:
        trial.state, trial.error = "failed", errors[0].message
        return
    objective = study.spec.objective
    values = [read_record(outcome.record).summary.get(objective) for outcome in found if outcome.record is not None]
    known = [value for value in values if value is not None]
    if len(known) < len(found):
        trial.state, trial.error = "failed", f"{objective} is not defined"
        return
    trial.state, trial.values, trial.value = "done", known, sum(known) / len(known)


def _told(study: Study, trial: Trial) -> str:
    settings = " ".join(study.texts(trial))
    if trial.value is None:
        return f"failed ({settings}): {trial.error}"
    best = study.best()
    place = "the best so far" if best is trial else f"best so far {100 * (best.value or 0.0):.2f}"
    return f"{100 * trial.value:.2f} ({settings}), {place}"


def _drop_scores(outcome: RunOutcome) -> None:
    """Remove the score matrices of a trial: what it came to is written down, and they are most of its bytes."""
    if outcome.record is not None:
        work = outcome.record.with_name(f"seed{outcome.plan.seed}")
        for path in work.glob("scores-*.npy"):
            with contextlib.suppress(OSError):
                path.unlink()
