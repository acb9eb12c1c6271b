"""Many runs from one file: scenarios x settings x strategies x class orders x seeds, expanded to plans."""

import dataclasses
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from clbench.errors import UsageError
from clbench.files.yaml_text import convert, read_mapping, read_yaml
from clbench.plan import catalog
from clbench.plan.plan import Plan
from clbench.plan.plans import plan
from clbench.plan.source import Absent

Value = Any  # of a recipe's or a strategy's field; checked by the field's type when the plan is made


class SweepSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What a sweep file may say."""

    scenarios: Annotated[list[str], Meta(min_length=1)]
    """Names, or paths of scenario files, which are looked for beside the sweep file first."""
    strategies: list[str] = field(default_factory=list)
    """Names or paths; empty means each scenario's own list."""
    seeds: list[Annotated[int, Meta(ge=0)]] = field(default_factory=list)
    """Empty means each scenario's own seeds."""
    orders: Annotated[int, Meta(ge=1)] | list[str] = field(default_factory=list)
    """Class orders: names such as `shuffle:1`, or how many, the scenario's own first; empty: each scenario's own."""
    set: dict[str, Value] = field(default_factory=dict)
    """Values for every run, written as for `--set`: `train.epochs: 1`, `er.memory: 400`, `head: queries`."""
    grid: dict[str, list[Value]] = field(default_factory=dict)
    """Several values per name; every combination is run."""
    settings: list[dict[str, Value]] = field(default_factory=list)
    """Combinations written out, each on top of `set`; `grid` multiplies them."""
    data: dict[str, str] = field(default_factory=dict)
    """Folders of data sets by name; those not named are looked for as `clbench run` looks for them."""
    unpinned: bool = False
    """Whether data other than the pinned stream is accepted, as with `--unpinned`."""


def load_sweep(path: Path) -> SweepSpec:
    """Return the sweep in the file `path`. Raises UsageError naming the file and the field."""
    raw = read_mapping(path, what="a sweep", hint="A sweep is a YAML file; docs/cluster.md shows one.")
    spec: SweepSpec = convert(raw, SweepSpec, source=str(path))
    for name, values in spec.grid.items():
        if not values:
            raise UsageError(f"{path}: grid.{name} is empty, expected at least one value.")
        if name in spec.set:
            raise UsageError(f"{path}: {name} stands under `set` and under `grid`; keep one of them.")
    return spec


def expand_all(
    paths: Sequence[Path],
    *,
    orders: int | Sequence[str] = (),
    read_only: bool = False,
    absent: Absent = "refused",
    own: bool = False,
) -> list[Plan]:
    """Return the runs of the sweeps in the files `paths`, in these class orders where some are given.

    `read_only`, `absent` and `own` are those of `plan`.
    Raises UsageError or DataError.
    """
    specs = [(load_sweep(path), path) for path in paths]
    return [
        item
        for spec, path in specs
        for item in expand(
            msgspec.structs.replace(spec, orders=orders) if orders else spec,
            path=path,
            read_only=read_only,
            absent=absent,
            own=own,
        )
    ]


def expand(
    spec: SweepSpec, *, path: Path, read_only: bool = False, absent: Absent = "refused", own: bool = False
) -> list[Plan]:
    """Return the sweep's runs, each once: all of a scenario's first order and seed before the second one.

    `path` is the sweep file, for messages and for paths written in it; `read_only`, `absent` and `own` are those of
    `plan`. Raises UsageError or DataError.
    """
    plans: dict[str, Plan] = {}
    for name in spec.scenarios:
        scenario = beside(name, path, suffix=".yaml")
        found: list[Plan] = []
        for setting in combinations(spec):
            found += _planned(spec, scenario, setting, path=path, read_only=read_only, absent=absent, own=own)
        rank = {which: number for number, which in enumerate(dict.fromkeys(map(_order_and_seed, found)))}
        for item in sorted(found, key=lambda item: rank[_order_and_seed(item)]):
            # a value that only one strategy has leaves the runs of the others as they are
            plans.setdefault(_identity(item), item)
    check_data(spec.data, list(plans.values()), path=path)
    return _told_apart(list(plans.values()))


def unfinished(plans: list[Plan], results: Path) -> list[Plan]:
    """Return the plans whose record does not exist below `results`."""
    return [item for item in plans if not item.place(results).record.exists()]


def combinations(spec: SweepSpec) -> Iterator[dict[str, Value]]:
    """Yield the sweep's settings: name -> value."""
    for written in spec.settings or [{}]:
        for values in itertools.product(*spec.grid.values()):
            yield spec.set | written | dict(zip(spec.grid, values, strict=True))


def as_text(name: str, value: Value) -> str:
    """Return `NAME=VALUE` as `--set` takes it."""
    plain = isinstance(value, str) and read_yaml(value, source=name) == value
    return f"{name}={value if plain else msgspec.json.encode(value).decode()}"


def _planned(
    spec: SweepSpec,
    scenario: str,
    setting: Mapping[str, Value],
    *,
    path: Path,
    read_only: bool,
    absent: Absent,
    own: bool,
) -> list[Plan]:
    texts = [as_text(name, value) for name, value in setting.items()]
    try:
        found = plan(
            scenario,
            strategies=[beside(name, path, suffix=".py") for name in spec.strategies],
            sets=texts,
            seeds=spec.seeds,
            orders=spec.orders,
            data=data_folder(spec.data, scenario, path=path),
            unpinned=spec.unpinned,
            read_only=read_only,
            absent=absent,
            own=own,
        )
    except UsageError as error:
        raise UsageError(f"{path}: {error.message.replace('--set ', '')}", hint=error.hint) from error
    names = {item.entry.name for item in found}
    varying = set(spec.grid) | {name for written in spec.settings for name in written}

    def named(item: Plan) -> Plan:
        shown = [text for text in texts if _sets_apart(text, item, varying, names)]
        told = [item.scenario.name, item.entry.name, *shown, *([item.order] if item.order else [])]
        return dataclasses.replace(item, label=" · ".join(told))

    return [named(item) for item in found]


def _sets_apart(text: str, item: Plan, varying: Collection[str], strategies: Collection[str]) -> bool:
    """Return whether a setting varies within the sweep and changes this run."""
    name = text.partition("=")[0]
    owner = name.partition(".")[0]
    return name in varying and (owner == item.entry.name or owner not in strategies)


def _told_apart(plans: list[Plan]) -> list[Plan]:
    """Return the plans with labels that differ: a scenario may list one strategy twice with different values."""
    groups: dict[str, list[Plan]] = {}
    for item in plans:
        groups.setdefault(f"{item.label} {item.seed}", []).append(item)
    found = []
    for item in plans:
        others = groups[f"{item.label} {item.seed}"]
        own = [f"{k}={v}" for k, v in item.fields.items() if any(o.fields.get(k) != v for o in others)]
        found.append(dataclasses.replace(item, label=" · ".join([item.label, *own, f"seed {item.seed}"])))
    return found


def beside(name: str, path: Path, *, suffix: str) -> str:
    """Return a name as it was written in the file `path`, or the path of the file it names beside that."""
    near = path.parent / name
    return str(near) if name.endswith(suffix) and near.is_file() else name


def data_folder(data: Mapping[str, str], scenario: str, *, path: Path) -> Path | None:
    """Return the folder that the file `path` names in `data` for the scenario's data set, None where it names none."""
    if not data:
        return None
    from clbench.spec.scenario import load_scenario

    dataset = load_scenario(catalog.find_scenario(scenario).path).dataset
    folder = data.get(dataset)
    return None if folder is None else path.parent / Path(folder).expanduser()


def check_data(data: Mapping[str, str], plans: list[Plan], *, path: Path) -> None:
    """Raise UsageError for a data set in `data` that none of the plans reads; `path` is the file that names it."""
    used = {item.scenario.dataset for item in plans}
    for name in data:
        if name not in used:
            raise UsageError(
                f"{path}: data.{name}: no scenario of this file reads it.",
                hint=f"They read: {', '.join(sorted(used))}.",
            )


def _order_and_seed(item: Plan) -> tuple[str, int]:
    return item.order, item.seed


def _identity(item: Plan) -> str:
    files = [str(item.scenario_path), str(item.entry.path)]
    parts = [*files, item.fields, msgspec.to_builtins(item.train), item.order, item.seed]
    return msgspec.json.encode(parts, order="deterministic").decode()
