"""A search file: what is varied, how trials are scored, which runs follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from clbench.errors import UsageError
from clbench.files.yaml_text import convert, read_mapping
from clbench.many.sweep_file import beside, check_data, data_folder
from clbench.plan import catalog
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.spec.orders import OWN
from clbench.spec.scenario import Count, Fraction, Positive, ScenarioSpec, ValidationSpec
from clbench.tune.space import Range, Value, text
from clbench.tune.suggest import Sampler

Objective = Literal["average_map", "last_map"]


class SearchSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a search file may say."""

    scenario: str
    """A name, or the path of a scenario file, which is looked for beside the search file first."""
    strategies: list[str] = field(default_factory=list)
    """Names or paths; empty means the scenario's own list. Each is searched on its own, with as many trials."""
    space: Annotated[dict[str, list[Value] | Range], Meta(min_length=1)]
    """Choices or a range per name, written as for `--set`: `train.lr: {low: 1e-5, high: 1e-2, log: true}`."""
    trials: Positive
    seeds: Annotated[list[Count], Meta(min_length=1)] = field(default_factory=lambda: [0])
    """Every trial runs with each of these; its value is the mean."""
    objective: Objective = "average_map"
    sessions: Count = 0
    """Trials end after so many sessions; 0 means all."""
    validation: Fraction | ValidationSpec | None = None
    """The share of the train images that trials are scored on, where the scenario holds out none itself."""
    final_seeds: list[Count] | None = None
    """The best configuration then runs with these, on the test set. Left out: the scenario's; empty: no such runs."""
    set: dict[str, Value] = field(default_factory=dict)
    """Values for every run, written as for `--set`."""
    sampler: Sampler = "tpe"
    sampler_seed: Count = 0
    batch: Positive = 4
    """Trials suggested at once, which may run side by side. Part of the search: another number is another search."""
    data: dict[str, str] = field(default_factory=dict)
    """The folder of the data set by its name; by default where `clbench run` looks."""
    unpinned: bool = False
    """Whether data other than the pinned stream is accepted, as with `--unpinned`."""


def load_search(path: Path) -> SearchSpec:
    """Return the search in the file `path`. Raises UsageError naming the file and the field."""
    hint = "A search is a YAML file; docs/protocol.md shows one under Tuning."
    raw = read_mapping(path, what="a search", hint=hint)
    spec: SearchSpec = convert(raw, SearchSpec, source=str(path))
    for name in spec.space:
        if name in spec.set:
            raise UsageError(f"{path}: {name} stands under `set` and under `space`; keep one of them.")
    for name, seeds in (("seeds", spec.seeds), ("final_seeds", spec.final_seeds or [])):
        if len(set(seeds)) != len(seeds):
            raise UsageError(f"{path}: {name}: a seed is listed twice.")
    return spec


@dataclass(frozen=True)
class Planner:
    """Makes the runs of a search file."""

    spec: SearchSpec
    path: Path
    scenario: ScenarioSpec
    written: dict[str, str]
    """Strategies: name -> how the file says it, which may be a path."""

    def meant_for(self, strategy: str, name: str) -> bool:
        """Return whether a value belongs to `strategy`: its own, one of all, or one of the recipe."""
        owner = name.partition(".")[0]
        return owner == strategy or owner not in self.written

    def plans(
        self, strategy: str, settings: Mapping[str, Value], *, seeds: Sequence[int], texts: Sequence[str] = ()
    ) -> list[Plan]:
        """Return the runs of a strategy with `settings` and `texts` on top of `set`. Raises UsageError."""
        values = {name: value for name, value in self.spec.set.items() if self.meant_for(strategy, name)}
        sets = [*(text(name, value) for name, value in (values | dict(settings)).items()), *texts]
        return _planned(self.spec, self.path, [self.written[strategy]], sets=sets, seeds=seeds)


def make_planner(spec: SearchSpec, *, path: Path) -> Planner:
    """Return what plans the runs of the search file `path`. Raises UsageError or DataError."""
    given = [beside(name, path, suffix=".py") for name in spec.strategies]
    firsts = _planned(spec, path, given, seeds=spec.seeds[:1])
    check_data(spec.data, firsts, path=path)
    names = [item.entry.name for item in firsts]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                f"{path}: strategies: {firsts[0].scenario.name} lists {name} twice with different values.",
                hint="Search it on a copy of the scenario that lists it once.",
            )
    ways = dict(zip(names, dict.fromkeys(given or names), strict=True))
    planner = Planner(spec, path, firsts[0].scenario, ways)
    for part in ("space", "set"):
        for name in getattr(spec, part):
            owner = name.partition(".")[0]
            known = {item.name for item in catalog.strategies()} | {"train"}
            if owner in known - {*ways, "train"}:
                raise UsageError(
                    f"{path}: {part}.{name}: {owner} is not among the strategies that are searched.",
                    hint=f"They are: {', '.join(ways)}.",
                )
    return planner


def _planned(
    spec: SearchSpec, path: Path, strategies: Sequence[str], *, sets: Sequence[str] = (), seeds: Sequence[int]
) -> list[Plan]:
    scenario = beside(spec.scenario, path, suffix=".yaml")
    try:
        return plan(
            scenario,
            strategies=strategies,
            sets=sets,
            seeds=seeds,
            orders=[OWN],  # whatever orders its scenario runs in
            data=data_folder(spec.data, scenario, path=path),
            unpinned=spec.unpinned,
        )
    except UsageError as error:
        raise UsageError(f"{path}: {error.message.replace('--set ', '')}", hint=error.hint) from error


def validation_split(planner: Planner) -> ValidationSpec:
    """Return the validation split of the trials: the scenario's, else the search file's. Raises UsageError."""
    given, scenario, path = planner.spec.validation, planner.scenario, planner.path
    own = scenario.validation
    if own.fraction:
        if given is not None:
            raise UsageError(
                f"{path}: validation: {scenario.name} holds out {own.fraction:g} of its train images itself.",
                hint="Leave `validation` out: trials are scored on the scenario's own split.",
            )
        return own
    split = given if isinstance(given, ValidationSpec) else ValidationSpec(fraction=given or 0.0)
    if not split.fraction:
        raise UsageError(
            f"{path}: validation: {'missing' if given is None else 'is 0'}, and {scenario.name} holds out no images.",
            hint="Say which share of the train images scores the trials: `validation: 0.1`.",
        )
    return split
