"""From a scenario and the command line to plans: every value of a run, each with where it came from."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from clbench import PROTOCOL
from clbench.errors import DataError, UsageError
from clbench.files.yaml_text import convert, digest, read_yaml
from clbench.imports.uncollected import uncollected
from clbench.plan import catalog
from clbench.plan.identity import configuration_digest
from clbench.plan.place import SEARCHES, Place, run_folder, scenario_id, unpinned_id
from clbench.plan.read_kind import read_kind
from clbench.plan.set_option import COMMAND_LINE, Chosen, Settings, parse_settings
from clbench.plan.source import STAND_IN, DataSource, find_source
from clbench.spec.foreign_pins import check_protocol
from clbench.spec.orders import chosen_orders, in_order
from clbench.spec.scenario import ScenarioSpec, TrainSpec, TrialSpec, entries, load_scenario, read_text_of
from clbench.weights.resolve import RANDOM, Weights, resolve

if TYPE_CHECKING:
    from clbench.method.strategy import Strategy

DEFAULT = "default"
SMALL = "clbench_small"
"""The backbone that is always there."""
SMALLEST = 2
"""Pixels of a picture's side; torch's resizing breaks at a single one."""
OF_FEATURES: dict[str, Any] = {"backbone": "none", "augment": "none", "track": "other", "image_size": 1}
"""The recipe's defaults where stored features stand in place of pictures."""


Listed = list[tuple[str, dict[str, tuple[Any, str]]]]
"""A `strategies:` list: name and fields, each field with its value and where that was written."""


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

    @cached_property
    def _strategy(self) -> Strategy:
        kind = self.kind or _class_in(self.entry)
        return kind.configured(self.fields, source=f"{self.scenario.name}: {self.entry.name}")

    @cached_property
    def _instead(self) -> str:
        """What sets the results folder of a run apart that is not on its scenario's own data."""
        if not self.unpinned:
            return self.dataset if self.stand_in else ""
        from clbench.data.datasets.registry import open_table

        return unpinned_id(open_table(self.dataset, root=self.root, options=self.options).digest())

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_strategy"}


def _class_in(entry: catalog.Entry) -> type[Strategy]:
    with uncollected():
        from clbench.plan.load_strategy import load_strategy  # and with it torch

    return load_strategy(entry)


def plan(
    scenario: str,
    *,
    strategies: Sequence[str] = (),
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (),
    orders: int | Sequence[str] = (),
    data: Path | None = None,
    unpinned: bool = False,
    read_only: bool = False,
) -> list[Plan]:
    """Return the runs that a command asks for, every strategy once before any gets its second seed or order.

    `scenario` and `strategies` are names or paths; `sets` are texts such as `train.epochs=1`, `er.memory=400` or
    `head=queries`. Without `strategies`, `seeds` or `orders` the scenario's own are taken. `data` names the data set's
    folder; if it is None and none is configured, the scenario's stand-in takes its place. With `unpinned` a stream that
    is not the pinned one is shown nevertheless. With `read_only`, for who only looks, strategies are read instead of
    imported where that tells the same. Raises UsageError or DataError.
    """
    found = catalog.find_scenario(scenario)
    text = read_text_of(found.path)
    spec = load_scenario(found.path, source=shown(found))
    source = find_source(spec, path=found.path, data=data)
    if not unpinned:
        pins = spec.stand_in.pins if source.stand_in and spec.stand_in is not None else spec.pins
        check_protocol(spec, pins, path=found.path, source=shown(found))
    chosen = _chosen(spec, source, strategies, where=shown(found), read_only=read_only)
    settings = parse_settings(sets, chosen)
    origins, train, changed, weights = _recipe(
        spec, read_yaml(text, source=shown(found)), source, settings, where=shown(found), read_only=read_only
    )
    origins = {"scenario": found.origin, "dataset": source.origin} | origins
    plans = []
    each = [(in_order(spec, order, path=found.path), order) for order in _orders(orders, spec, where=shown(found))]
    for (asked, order), seed in itertools.product(each, _distinct(seeds or spec.seeds)):
        for strategy in chosen:
            values = _strategy_values(strategy, settings)
            plans.append(
                Plan(
                    scenario=asked,
                    order=order,
                    own=spec if order else None,
                    scenario_path=found.path,
                    scenario_origin=found.origin,
                    stand_in=source.stand_in,
                    dataset=source.dataset,
                    options=source.options,
                    root=source.root,
                    entry=strategy.entry,
                    fields={name: value for name, (value, _) in values.items()},
                    train=train,
                    seed=seed,
                    origins=origins
                    | {"seed": "--seed" if seeds else shown(found)}
                    | {f"{strategy.entry.name}.{name}": origin for name, (_, origin) in values.items()},
                    changed_train=changed,
                    weights=weights,
                    unpinned=unpinned,
                    kind=strategy.kind if read_only else None,
                )
            )
    if read_only and any(map(_asks_for_more, plans)):
        return plan(
            scenario, strategies=strategies, sets=sets, seeds=seeds, orders=orders, data=data, unpinned=unpinned
        )
    if not read_only:
        _check_strategies(plans)
    _check_distinct(plans, where=shown(found))
    return plans


def _orders(asked: int | Sequence[str], spec: ScenarioSpec, *, where: str) -> list[str]:
    """Return the orders to run: those asked for, else those of the scenario's file."""
    return chosen_orders(asked, spec, source="--orders") if asked else chosen_orders(spec.orders, spec, source=where)


def _asks_for_more(item: Plan) -> bool:
    """Return whether a plan says something that only imported code can check."""
    heads = {"head", "head_options"} & set(item.fields)
    validated = item.kind is not None and item.kind.validates and item.fields
    return bool(heads or validated or not item.values)


def shown(entry: catalog.Entry) -> str:
    """Return the file's path as messages show it: from the root for shipped files, from here for files below here."""
    if entry.origin == "shipped":
        return f"{entry.path.parent.name}/{entry.path.name}"
    here = Path.cwd()
    return str(entry.path.relative_to(here) if entry.path.is_relative_to(here) else entry.path)


def all_values(plan: Plan) -> dict[str, tuple[Any, str]]:
    """Return every recipe and strategy value by dotted name, with where it came from; imports the strategy."""
    values = {
        f"train.{name}": (value, plan.origins.get(f"train.{name}", DEFAULT))
        for name, value in msgspec.to_builtins(plan.train).items()
    }
    own = inspect.get_annotations(plan.kind or _class_in(plan.entry))
    for name, value in plan.values.items():
        default = shown(plan.entry) if name in own else DEFAULT
        values[f"{plan.entry.name}.{name}"] = (value, plan.origins.get(f"{plan.entry.name}.{name}", default))
    return values


# ---------------------------------------------------------------------- strategies


def _chosen(
    spec: ScenarioSpec, source: DataSource, names: Sequence[str], *, where: str, read_only: bool
) -> list[Chosen]:
    """Return the strategies to run: those named, else the stand-in's list where it has one, else the scenario's."""
    lists = [_written(spec.strategies, where=where, below=[])]
    if source.stand_in and spec.stand_in is not None and spec.stand_in.strategies:
        lists.insert(0, _written(spec.stand_in.strategies, where=f"{where}: {STAND_IN}", below=lists[0]))
    found: list[Chosen] = []
    for name in _distinct(names or [name for name, _ in lists[0]]):
        entry = catalog.find_strategy(name)
        kind = cast("type[Strategy] | None", read_kind(entry) if read_only else None) or _class_in(entry)
        # one strategy may be listed twice with different values; one that no list mentions runs with its defaults
        mentions = ([fields for other, fields in items if other == entry.name] for items in lists)
        found.extend(Chosen(entry, kind, fields) for fields in next(filter(None, mentions), [{}]))
    return found


def _written(items: list[Any], *, where: str, below: Listed) -> Listed:
    """Return a `strategies:` list with origins, each item on top of the one of that name in `below`, if it is alone."""
    found: Listed = []
    for name, fields in entries(items, source=where):
        under = [given for other, given in below if other == name]
        found.append((name, (under[0] if len(under) == 1 else {}) | {key: (v, where) for key, v in fields.items()}))
    return found


def _strategy_values(strategy: Chosen, settings: Settings) -> dict[str, tuple[Any, str]]:
    # what is said of one strategy outweighs what is said of all
    meant = [
        (path, value, f"{COMMAND_LINE} {text}")
        for whose in ("", strategy.entry.name)
        for (name, path), (value, text) in settings.strategy.items()
        if name == whose
    ]
    values = dict(strategy.fields)
    head = values.get("head", (strategy.kind.head, ""))[0]
    if [value for path, value, _ in meant if path == "head"][-1:] not in ([], [head]):
        values.pop("head_options", None)  # they were written for the head that is replaced
    for path, value, origin in meant:
        field, *inside = path.split(".")
        if inside:
            old = values[field][0] if field in values else strategy.kind.defaults()[field]
            value = _nested(dict(old), inside, value)
        values[field] = (value, origin)
    return values


def _nested(mapping: dict[str, Any], path: list[str], value: Any) -> dict[str, Any]:
    key, *rest = path
    inner = mapping.get(key)
    return mapping | {key: _nested(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}


def _check_distinct(plans: Sequence[Plan], *, where: str) -> None:
    """Raise UsageError where two plans are one run: of one name and one configuration, which is one record."""
    met: dict[tuple[str, str, int, str], Plan] = {}
    for item in plans:
        first = met.setdefault((item.entry.name, item.configuration, item.seed, item.order), item)
        if first is not item:
            files = list(dict.fromkeys([shown(first.entry), shown(item.entry)]))
            raise UsageError(
                f"{where}: {item.entry.name}: named twice with the same values ({' and '.join(files)}), "
                "and two runs cannot leave one record.",
                hint="Name it once, or give each a value of its own, such as `- er: {memory: 400}`.",
            )


def _check_strategies(plans: Sequence[Plan]) -> None:
    """Find out all values, so that a wrong one in the last of the plans is found before the first one trains."""
    from clbench.nn.heads.by_name import HEADS, check_head

    checked: set[str] = set()
    for item in plans:
        key = f"{item.entry.path} {sorted(item.fields.items())}"
        if key not in checked:
            checked.add(key)
            values = item.values
            try:
                check_head(values["head"], values["head_options"])
            except UsageError as error:
                where = f"{item.scenario.name}: {item.entry.name}"
                default = _class_in(item.entry).defaults()["head"]
                known = values["head"] in HEADS
                hint = error.hint if known else f"{error.hint} The default of {item.entry.name} is {default}."
                raise UsageError(f"{where}: {error.message}", hint=hint) from error


# ---------------------------------------------------------------------- the recipe


def _recipe(
    spec: ScenarioSpec,
    raw: Mapping[str, Any],
    source: DataSource,
    settings: Settings,
    *,
    where: str,
    read_only: bool,
) -> tuple[dict[str, str], TrainSpec, tuple[str, ...], Weights]:
    """Return (origins, recipe, fields that --set changed, weights): defaults < scenario < stand-in < --set."""
    values: dict[str, Any] = msgspec.to_builtins(spec.train)
    features = source.options.get("features", "")
    if features:
        values |= {name: value for name, value in OF_FEATURES.items() if name not in (raw.get("train") or {})}
    origins = {f"train.{name}": where for name in raw.get("train") or {}}
    if source.stand_in and spec.stand_in is not None:
        values |= spec.stand_in.train
        origins |= {f"train.{name}": f"{where}: {STAND_IN}" for name in spec.stand_in.train}
    before = msgspec.to_builtins(convert(values, TrainSpec, source=where))
    after = before | {name: msgspec.to_builtins(value) for name, (value, _) in settings.train.items()}
    origins |= {f"train.{name}": f"{COMMAND_LINE} {text}" for name, (_, text) in settings.train.items()}
    train = convert(after, TrainSpec, source=COMMAND_LINE)
    if train.image_size < SMALLEST and not features:
        raise UsageError(
            f"{origins.get('train.image_size', DEFAULT)}: train.image_size is {train.image_size}, expected at least "
            f"{SMALLEST} pixels.",
            hint="Published recipes have 224 or 448; clbench_small takes 32 and more.",
        )
    if features or train.backbone == "none":
        _check_features(train, features, origins)
    elif train.backbone != SMALL:
        from clbench.nn.backbones.by_name import check_backbone

        check_backbone(train.backbone, where=origins.get("train.backbone", DEFAULT))
    if spec.online and train.epochs != 1:
        raise UsageError(f"--set train.epochs={train.epochs}: {spec.name} is online and makes one pass.")
    weights = _weights(train, read_only=read_only)
    changed = {name for name in after if after[name] != before[name]}
    if before["weights"] == weights.name:
        changed.discard("weights")  # another spelling of the same
    return origins, msgspec.structs.replace(train, weights=weights.name), tuple(sorted(changed)), weights


def _weights(train: TrainSpec, *, read_only: bool) -> Weights:
    """Return the recipe's weights by their digest, before anything else is read; who only looks need not have them."""
    if train.backbone.startswith("clbench_"):  # own networks have none, which they say themselves
        return Weights(train.weights)
    try:
        return resolve(train.weights, backbone=train.backbone)
    except DataError:
        if read_only:
            return Weights(train.weights)
        raise


def _check_features(train: TrainSpec, features: str, origins: Mapping[str, str]) -> None:
    """Raise UsageError for a recipe that wants pictures of a table of features, or features of one of pictures."""
    if not features:
        raise UsageError(
            f"{origins.get('train.backbone', DEFAULT)}: train.backbone is 'none', and the data set has pictures.",
            hint="Features of your own: a label table with the option `features: x.npy`.",
        )
    for name, fits in (("backbone", "none"), ("weights", ""), ("augment", "none")):
        if getattr(train, name) != fits:
            raise UsageError(
                f"{origins.get(f'train.{name}', DEFAULT)}: train.{name} is '{getattr(train, name)}', and the data set "
                f"has features ({features}) in place of pictures.",
                hint=f"Leave it out, or write {name}: {fits or chr(39) * 2}.",
            )


def _distinct(items: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
