"""A plan: everything that one run needs to know, and what follows from it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from clbench import PROTOCOL
from clbench.files.yaml_text import digest
from clbench.imports.uncollected import uncollected
from clbench.plan import catalog
from clbench.plan.identity import configuration_digest
from clbench.plan.place import SEARCHES, Place, run_folder, scenario_id, unpinned_id
from clbench.plan.set_option import COMMAND_LINE
from clbench.spec.scenario import ScenarioSpec, TrainSpec, TrialSpec
from clbench.weights.resolve import RANDOM, Weights

if TYPE_CHECKING:
    from clbench.method.strategy import Strategy

DEFAULT = "default"


@dataclass(frozen=True)
class Plan:
    """Everything one run needs to know; `origins` says for each dotted name where its value came from.

    `fields` are the strategy's explicit values, `train` the whole recipe after all layers, `changed_train` the recipe's
    fields that `--set` changed. `root` is the data folder, None for generated pictures. Plans can be pickled.
    """

    scenario: ScenarioSpec
    scenario_path: Path
    scenario_origin: str
    stand_in: bool
    dataset: str
    options: dict[str, str]
    root: Path | None
    entry: catalog.Entry
    fields: dict[str, Any]
    train: TrainSpec
    seed: int
    origins: dict[str, str]
    changed_train: tuple[str, ...]
    unpinned: bool = False
    """Whether data other than the pinned may be shown; its rows are marked and stay apart."""
    label: str = ""
    """What the run is called while it runs, where strategy and seed do not set it apart from others."""
    order: str = ""
    """The class order of `scenario`, empty for the one that its file has."""
    own: ScenarioSpec | None = None
    """The scenario in its own order, where it is `scenario` in another one."""
    trial: TrialSpec | None = None
    """Set for a trial of a search: it sees no test image, and its record is no row."""
    tuning: dict[str, Any] | None = None
    """How a search found these values, as the record's `tuning` has it; None where no search did."""
    suggested_by: str = ""
    """The versions of Optuna whose trials found these values, where a search did."""
    weights: Weights = RANDOM
    """Where the weights lie that `train.weights` calls by their digest."""
    protocol: int = PROTOCOL
    """How numbers come about; that of an older record where its run is made again."""
    kind: type[Strategy] | None = None
    """The strategy's class where it is not to be loaded from the file of `entry`."""

    @property
    def title(self) -> str:
        """What the run is called while it runs."""
        return self.label or " · ".join(filter(None, [self.entry.name, self.order, f"seed {self.seed}"]))

    @property
    def absent(self) -> bool:
        """Whether its data set is not here and nothing stands in for it, so that it can be counted and not run."""
        return self.root is None and not self.stand_in and self.dataset != "scenes"

    @property
    def named(self) -> str:
        """What all seeds of the run's configuration are called."""
        return self.title.removesuffix(f" · seed {self.seed}")

    @property
    def input_note(self) -> str:
        """What to say where a changed backbone gets pixels as the scenario's own wants them; else empty."""
        origin = self.origins.get("train.normalize", "the recipe")
        if self.train.normalize or origin.startswith(COMMAND_LINE) or "backbone" not in self.changed_train:
            return ""
        return (
            f"train.normalize stays false, as {origin} has it for another backbone: {self.train.backbone} sees pixels "
            "in [0, 1]. Most pretrained networks want --set train.normalize=true"
        )

    # what follows from the fields is found out once, and anew for a plan made of another by `dataclasses.replace`

    @cached_property
    def values(self) -> dict[str, Any]:
        """All hyper-parameters of the strategy as plain values. Raises UsageError for one that cannot be."""
        return self._strategy.values()

    @cached_property
    def configuration(self) -> str:
        """The configuration digest (sha256): everything chosen but the seed. Raises UsageError as `values` does."""
        return configuration_digest(
            self.entry.name,
            fields=self.values,
            train=msgspec.to_builtins(self.train),
            protocol=self.protocol,
            tuning=self.tuning,
        )

    def place(self, results: Path) -> Place:
        """Return where the run's files lie below the folder `results`. Raises UsageError as `values` does."""
        about = self.scenario
        scenario = scenario_id(about.name, version=about.version, stand_in=self._instead, order=self.order)
        if self.trial is None:
            return Place(results, run_folder(results, scenario, self.entry.name, self.configuration), self.seed)
        # a trial is told apart by what it is scored on, so that searches of one scenario share what they have in common
        scored_on = digest([self.scenario.digest(), msgspec.to_builtins(self.trial)])[:8]
        folder = run_folder(results / SEARCHES, f"{scenario}.{scored_on}", self.entry.name, self.configuration)
        return Place(results, folder, self.seed, trial=True)

    def new_strategy(self) -> Strategy:
        """Return a strategy with its fields set, not built yet. Raises UsageError for a field that cannot be.

        The one that told the plan its values goes to whoever asks first, so that a run makes one.
        """
        self.values  # noqa: B018 - before the strategy is somebody's
        strategy = self._strategy
        del self.__dict__["_strategy"]
        strategy._train = self.train
        strategy._seed = (self.seed,)
        return strategy

    def keep_stream(self, stream: Any) -> None:
        """Keep a stream that was built of the plan, for the run that comes next in this process."""
        self.__dict__["_stream"] = stream

    def kept_stream(self) -> Any:
        """Return the stream that was kept, once; None where there is none."""
        return self.__dict__.pop("_stream", None)

    @cached_property
    def _strategy(self) -> Strategy:
        kind = self.kind or class_in(self.entry)
        return kind.configured(self.fields, source=f"{self.scenario.name}: {self.entry.name}")

    @cached_property
    def _instead(self) -> str:
        """What sets the results folder of a run apart that is not on its scenario's own data."""
        if not self.unpinned:
            return self.dataset if self.stand_in else ""
        from clbench.data.datasets.registry import open_table

        return unpinned_id(open_table(self.dataset, root=self.root, options=self.options).digest())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_strategy", "_stream")}


def shown(entry: catalog.Entry) -> str:
    """Return the file's path as messages show it: from the root for shipped files, from here for files below here."""
    if entry.origin == "shipped":
        return f"{entry.path.parent.name}/{entry.path.name}"
    return _from_here(entry.path)


def asked_for(plan: Plan) -> str:
    """Return what a command calls the plan's scenario: a shipped one by its name, others by their file."""
    return plan.scenario.name if plan.scenario_origin == "shipped" else _from_here(plan.scenario_path)


def _from_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def all_values(plan: Plan) -> dict[str, tuple[Any, str]]:
    """Return every recipe and strategy value by dotted name, with where it came from; imports the strategy."""
    values = {
        f"train.{name}": (value, plan.origins.get(f"train.{name}", DEFAULT))
        for name, value in msgspec.to_builtins(plan.train).items()
    }
    own = inspect.get_annotations(plan.kind or class_in(plan.entry))
    for name, value in plan.values.items():
        default = shown(plan.entry) if name in own else DEFAULT
        values[f"{plan.entry.name}.{name}"] = (value, plan.origins.get(f"{plan.entry.name}.{name}", default))
    return values


def class_in(entry: catalog.Entry) -> type[Strategy]:
    """Return the class in a strategy's file, which is imported. Raises UsageError for a file without one."""
    with uncollected():
        from clbench.plan.load_strategy import load_strategy  # and with it torch

    return load_strategy(entry)
