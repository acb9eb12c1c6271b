"""The battery: its checks in order, what each of them needs, and how they are run."""

from __future__ import annotations

import importlib
import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clbench.errors import UsageError, suggest
from clbench.method.stored import OverBudgetError
from clbench.testing.checks import file as files
from clbench.testing.checks import manners as manners
from clbench.testing.checks import repeat as repeats
from clbench.testing.checks import scores as scores
from clbench.testing.checks import secrets as secrets
from clbench.testing.checks import training as training
from clbench.testing.outcome import Broken, Failed, NotRun, Outcome
from clbench.testing.probed_run import Probe
from clbench.testing.subject import Subject
from clbench.testing.watched import Watched, watched
from clbench.train.loss_meter import NonFiniteLossError
from clbench.train.resume.witness import ChangedScoresError
from clbench.train.scoring.evaluate import BadScoresError

FIRST = ("clbench.train.loop", "clbench.train.resume.plugin_state", "numpy.ma", "torch.utils.serialization.config")
"""What runs import when they first need it, and the battery before any strategy: it is part of what a strategy may not
touch, and every process of the strategy would import it anew."""


def runs_to_its_end(subject: Subject) -> None:
    """A run over the sessions of a tiny scenario ends with a record."""
    for module in FIRST:
        importlib.import_module(module)
    kinds = [kind for check in CHECKS for kind in check.probes]
    run, subject.told = subject.heard(watched, kind=Watched, kinds=kinds)
    subject.watched = run
    broken = _broken(run)
    if broken == runs_to_its_end.__name__ and run.error is not None:
        raise run.error.error()
    if broken:
        raise NotRun(f"{broken} failed")


@dataclass(frozen=True)
class Check:
    """One promise: a function whose docstring states it.

    `needs` is the check without which this one says nothing. In the one watched run, what `probes` find and what errors
    of the kinds `stops` say belongs to this check.
    """

    run: Callable[[Subject], str | None]
    needs: str = runs_to_its_end.__name__
    probes: tuple[type[Probe], ...] = ()
    stops: tuple[type[Exception], ...] = ()

    @property
    def name(self) -> str:
        """The function's name."""
        return self.run.__name__

    @property
    def sentence(self) -> str:
        """The promise in one sentence."""
        return (inspect.getdoc(self.run) or "").partition("\n")[0]


CHECKS: tuple[Check, ...] = (
    Check(files.file_holds_one_strategy, needs=""),
    Check(files.docstring_is_one_sentence, needs="file_holds_one_strategy"),
    Check(files.constructs_with_its_defaults, needs="file_holds_one_strategy"),
    Check(files.fields_survive_json, needs="constructs_with_its_defaults"),
    Check(runs_to_its_end, needs="constructs_with_its_defaults"),
    Check(scores.scores_are_probabilities, stops=(BadScoresError,)),
    Check(scores.record_follows_from_its_scores, stops=(ChangedScoresError,)),
    Check(scores.scores_ignore_the_batch, probes=(scores.Batching,)),
    Check(scores.what_predicts_is_counted, probes=(scores.Predicting,)),
    Check(scores.growth_adds_exactly_the_new_labels, probes=(scores.Growth,)),
    Check(scores.learns_above_chance, needs="record_follows_from_its_scores"),
    Check(training.loss_copes_with_unknown_labels, probes=(training.Loss,), stops=(NonFiniteLossError,)),
    Check(training.optimiser_holds_what_trains, probes=(training.Optimiser,)),
    Check(training.teacher_is_frozen, probes=(training.Teacher,)),
    Check(training.memory_stays_within_its_budget, probes=(training.Stored,), stops=(OverBudgetError,)),
    Check(repeats.same_seed_same_weights),
    Check(repeats.other_seed_other_weights, needs="same_seed_same_weights"),
    Check(repeats.stopped_run_ends_the_same, needs="same_seed_same_weights"),
    Check(secrets.hidden_labels_change_nothing, needs="same_seed_same_weights"),
    Check(secrets.test_split_is_out_of_reach, needs="same_seed_same_weights"),
    Check(manners.process_is_left_as_it_was),
    Check(manners.no_stray_files),
)
"""Every check, in the order in which they are run."""


def chosen(names: Sequence[str] = ()) -> list[Check]:
    """Return the checks called `names`, default all. Raises UsageError for a name that is none."""
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no check '{name}'.{suggest(name, known)}", hint="clbench check --list")
    return [known[name] for name in names] if names else list(CHECKS)


def examine(subject: Subject, *, check: Check) -> Outcome:
    """Return what a check says of a strategy; what it needs is examined before, everything once."""
    if check.name not in subject.outcomes:
        begin = time.perf_counter()
        obstacle = _obstacle(subject, check)
        outcome = (
            Outcome(check.name, check.sentence, "not run", note=obstacle) if obstacle else _examined(subject, check)
        )
        subject.outcomes[check.name] = outcome
        outcome.seconds = time.perf_counter() - begin
    return subject.outcomes[check.name]


def _obstacle(subject: Subject, check: Check) -> str:
    """Return why the check cannot be run, or ""."""
    if not check.needs:
        return ""
    (needed,) = chosen([check.needs])
    before = examine(subject, check=needed)
    if subject.watched is not None and _broken(subject.watched) == check.name:
        return ""  # the watched run ended for the very reason that this check is about
    return {"failed": f"{needed.name} failed", "not run": before.note}.get(before.status, "")


def _broken(run: Watched) -> str:
    """Return the check that the error belongs to which ended the watched run; empty when it ended well."""
    if run.error is None:
        return ""
    for check in CHECKS:
        if run.error.error().is_a(*check.stops) or any(kind.__name__ in run.problems for kind in check.probes):
            return check.name
    return runs_to_its_end.__name__


def _examined(subject: Subject, check: Check) -> Outcome:
    try:
        note = _verdict(subject, check)
    except NotRun as obstacle:
        return Outcome(check.name, check.sentence, "not run", note=str(obstacle))
    except Broken as broken:
        return Outcome(check.name, check.sentence, "failed", lines=_lines(subject, broken))
    except Failed as failed:
        told = Broken.of(failed, look=subject.place(failed.verb))
        return Outcome(check.name, check.sentence, "failed", lines=_lines(subject, told))
    return Outcome(check.name, check.sentence, "noted" if note else "passed", note=note)


def _verdict(subject: Subject, check: Check) -> str:
    run = subject.watched
    if run is not None:
        for kind in check.probes:
            if kind.__name__ in run.problems:
                raise run.problems[kind.__name__].error()
        if run.error is not None and _broken(run) == check.name:
            raise run.error.error()
    return check.run(subject) or ""


def _lines(subject: Subject, broken: Broken) -> tuple[str, str, str]:
    """Return what was found, where to look, and what to do."""
    mend = broken.mend or f"See the whole traceback: clbench run tiny --strategy {subject.typed} --debug"
    return broken.found, broken.look or str(subject.entry.path), mend
