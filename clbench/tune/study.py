"""The search of one strategy: its trials, the best of them, and the runs that follow."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import RunError, UsageError
from clbench.files.yaml_text import convert, digest
from clbench.plan.plan import Plan
from clbench.records.schema import TuningPart
from clbench.spec.scenario import TrialSpec
from clbench.stream.stream import Stream
from clbench.train.prepare import plan_stream
from clbench.tune.journal import Journal, Trial, read_journal, write_journal
from clbench.tune.search_file import Planner, SearchSpec, make_planner, validation_split
from clbench.tune.space import Dimension, dimensions, plain, text
from clbench.tune.suggest import check_grid, optuna_version, suggest

FAILED = 0.0
"""What a failed trial counts to the sampler: the worst mAP there is, so that it looks elsewhere."""


@dataclass
class Study:
    """The search of one strategy, with its trials so far."""

    planner: Planner
    strategy: str
    dims: list[Dimension]
    base: Plan
    """The first seed's run before anything is searched, as a trial."""
    journal: Journal
    journal_file: Path

    @property
    def spec(self) -> SearchSpec:
        """The search file."""
        return self.planner.spec

    @property
    def title(self) -> str:
        """The scenario's and the strategy's name."""
        return f"{self.base.scenario.name} · {self.base.entry.name}"

    @cached_property
    def stream(self) -> Stream:
        """The stream of the trials."""
        return plan_stream(self.base)

    # ------------------------------------------------------------------ trials

    @property
    def trials(self) -> list[Trial]:
        """The trials that count: as many as the file asks for, though more may have been made before."""
        return self.journal.trials[: self.spec.trials]

    @property
    def left(self) -> int:
        """How many trials have no outcome yet."""
        return self.spec.trials - sum(trial.state != "open" for trial in self.trials)

    def due(self) -> list[Trial]:
        """Return the trials of the next batch, empty when all are done; new ones are written down first.

        A batch depends on the batches before it alone, so neither an interruption nor a larger number of trials, asked
        for afterwards, changes what is tried.
        """
        waiting = [trial for trial in self.trials if trial.state == "open"]
        if waiting or len(self.journal.trials) >= self.spec.trials:
            return waiting
        known = len(self.journal.trials)
        first = known - known % self.spec.batch
        fresh = suggest(
            self.dims,
            past=[(trial.set, FAILED if trial.value is None else trial.value) for trial in self.journal.trials[:first]],
            count=self.spec.batch,
            sampler=self.spec.sampler,
            seed=self.spec.sampler_seed,
        )
        if optuna_version() not in self.journal.optuna:
            self.journal.optuna.append(optuna_version())
        for number in range(known, min(first + self.spec.batch, self.spec.trials)):
            self.journal.trials.append(Trial(number, fresh[number - first]))
        self.save()
        return [trial for trial in self.trials if trial.state == "open"]

    @property
    def version_note(self) -> str:
        """What to say where trials to come are suggested by another Optuna than those before; else empty."""
        known, here = len(self.journal.trials), optuna_version()
        if known >= self.spec.trials or set(self.journal.optuna) <= {here}:
            return ""
        return (
            f"{self.title}: its first {known} trials were suggested by Optuna {', '.join(self.journal.optuna)}, the "
            f"next ones will be by {here}: they may be others than either version alone would try"
        )

    def plans(self, trial: Trial) -> list[Plan]:
        """Return the runs of a trial, one per seed."""
        found = self.planner.plans(self.strategy, trial.set, seeds=self.spec.seeds)
        named = f"{self.title} · trial {trial.number}"
        return [dataclasses.replace(item, trial=self.base.trial, label=f"{named} · seed {item.seed}") for item in found]

    def save(self) -> None:
        """Write the trials down."""
        write_journal(self.journal, self.journal_file)

    # ------------------------------------------------------------------ what follows

    def best(self) -> Trial:
        """Return the trial with the largest value, the earliest of equal ones. Raises RunError where none has one."""
        done = [trial for trial in self.trials if trial.value is not None]
        if not done:
            reason = next((trial.error for trial in self.trials if trial.error), "none is finished")
            raise RunError(f"{self.title}: none of {len(self.trials)} trials came to a value ({reason}).")
        return max(done, key=lambda trial: (trial.value or 0.0, -trial.number))

    def final_plans(self) -> list[Plan]:
        """Return the ordinary runs of the best configuration, which say how it was found."""
        if self.spec.final_seeds == []:
            return []
        chosen = self.best()
        found = self.planner.plans(self.strategy, chosen.set, seeds=self.spec.final_seeds or [])
        label = " · ".join([self.title, *self.texts(chosen)])
        told = self.tuning()
        versions = ", ".join(self.journal.optuna)
        return [
            dataclasses.replace(item, tuning=told, suggested_by=versions, label=f"{label} · seed {item.seed}")
            for item in found
        ]

    def texts(self, trial: Trial) -> list[str]:
        """Return a trial's settings as `NAME=VALUE`."""
        return [text(dim.name, trial.set[dim.name]) for dim in self.dims]

    def tuning(self) -> dict[str, Any]:
        """Return how the best configuration was found, as its records say it."""
        assert self.base.trial is not None
        split, space = self.base.trial.validation, plain(self.dims)
        part = {
            "trials": len(self.trials),
            "failed": sum(trial.state == "failed" for trial in self.trials),
            "objective": self.spec.objective,
            "value": self.best().value,
            "sampler": self.spec.sampler,
            "sampler_seed": self.spec.sampler_seed,
            "batch": self.spec.batch,
            "space": space,
            "space_digest": digest(space),
            "seeds": self.spec.seeds,
            "sessions": len(self.stream.sessions),
            "validation": {"fraction": split.fraction, "seed": split.seed},
        }
        told: dict[str, Any] = msgspec.to_builtins(convert(part, TuningPart, source="tuning"))
        return told


def studies(spec: SearchSpec, *, path: Path, results: Path) -> list[Study]:
    """Return the searches that a file asks for, one per strategy, each going on from what lies below `results`.

    `path` is the search file, for messages and for paths written in it. Raises UsageError, DataError where the
    scenario's validation images cannot score a session, and ResultsError for trials that cannot be read.
    """
    planner = make_planner(spec, path=path)
    found = [_study(planner, name, results=results) for name in planner.written]
    try:
        found[0].stream  # noqa: B018 - all share it, and what is wrong with it is said before anything runs
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error
    return found


def _study(planner: Planner, name: str, *, results: Path) -> Study:
    spec, path = planner.spec, planner.path
    (plain_run,) = planner.plans(name, {}, seeds=spec.seeds[:1])
    base = dataclasses.replace(plain_run, trial=TrialSpec(validation=validation_split(planner), sessions=spec.sessions))
    own = {key: domain for key, domain in spec.space.items() if planner.meant_for(name, key)}
    if not own:
        raise UsageError(
            f"{path}: space: nothing in it is a value of {name}.", hint="Name one, or leave the strategy out."
        )

    def make(setting: str) -> Plan:
        return planner.plans(name, {}, seeds=spec.seeds[:1], texts=[setting])[0]

    dims = dimensions(own, make=make, source=str(path))
    if spec.sampler == "grid":
        check_grid(dims, trials=spec.trials, source=str(path))
    about = msgspec.json.decode(
        msgspec.json.encode(
            {
                "scenario": base.scenario.digest(),
                "data": [base.dataset, base.options, base.stand_in],
                "strategy": base.entry.name,
                "configuration": base.configuration,
                "space": plain(dims),
                "trial": base.trial,
                "seeds": spec.seeds,
                "objective": spec.objective,
                "sampler": [spec.sampler, spec.sampler_seed, spec.batch],
            }
        )
    )
    # place / configuration / seed: beside the trials of this scenario and strategy
    file = base.place(results).folder.parent / f"search-{digest(about)[:8]}.json"
    return Study(planner, name, dims, base, read_journal(file, about=about), file)
