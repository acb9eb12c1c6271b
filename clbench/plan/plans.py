"""From a scenario and the command line to plans: every value of a run, each with where it came from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clbench.errors import UsageError
from clbench.files.yaml_text import read_yaml
from clbench.plan import catalog
from clbench.plan.plan import Plan, class_in, shown
from clbench.plan.read_kind import read_kind
from clbench.plan.recipe import recipe
from clbench.plan.set_option import COMMAND_LINE, Chosen, Settings, parse_settings
from clbench.plan.source import STAND_IN, Absent, DataSource, find_source
from clbench.spec.orders import chosen_orders, in_order
from clbench.spec.scenario import (
    PinsSpec,
    ScenarioSpec,
    entries,
    load_scenario,
    pins_name,
    read_text_of,
    scenario_files,
)

if TYPE_CHECKING:
    from clbench.method.strategy import Strategy

Listed = list[tuple[str, dict[str, tuple[Any, str]]]]
"""A `strategies:` list: name and fields, each field with its value and where that was written."""


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
    absent: Absent = "refused",
    own: bool = False,
) -> list[Plan]:
    """Return the runs that a command asks for, every strategy once before any gets its second seed or order.

    `scenario` and `strategies` are names or paths; `sets` are texts such as `train.epochs=1`, `er.memory=400` or
    `head=queries`. Without `strategies`, `seeds` or `orders` the scenario's own are taken. `data` names the data set's
    folder; if it is None and none is configured, the scenario's stand-in takes its place. With `unpinned` a stream that
    is not the pinned one is shown nevertheless. With `read_only`, for who only looks, strategies are read instead of
    imported where that tells the same, and weights need not be here. `absent` says what to do where the data are not,
    and with `own` pins stand for them also where there is a stand-in. Raises UsageError or DataError.
    """
    made = partial(
        _made,
        scenario,
        strategies=strategies,
        sets=sets,
        seeds=seeds,
        orders=orders,
        data=data,
        unpinned=unpinned,
        read_only=read_only,
        absent=absent,
        own=own,
    )
    if read_only and not any(map(_asks_for_more, plans := made(imported=False))):
        return plans
    return made(imported=True)


def _made(
    scenario: str,
    *,
    strategies: Sequence[str],
    sets: Sequence[str],
    seeds: Sequence[int],
    orders: int | Sequence[str],
    data: Path | None,
    unpinned: bool,
    read_only: bool,
    absent: Absent,
    own: bool,
    imported: bool,
) -> list[Plan]:
    """Return the runs, of strategies that are `imported` or only read."""
    found = catalog.find_scenario(scenario)
    text = read_text_of(found.path)
    spec = load_scenario(found.path, source=shown(found))
    source = find_source(spec, path=found.path, data=data, absent=absent, own=own)
    if not unpinned:
        pins = spec.stand_in.pins if source.stand_in and spec.stand_in is not None else spec.pins
        _check_protocol(spec, pins, path=found.path, source=shown(found))
    chosen = _chosen(spec, source, strategies, where=shown(found), imported=imported)
    settings = parse_settings(sets, chosen)
    raw = read_yaml(text, source=shown(found))
    recipes = {
        bound: recipe(spec, raw, source, settings, where=shown(found), bound=bound, read_only=read_only)
        for bound in sorted({strategy.kind.static for strategy in chosen})
    }
    plans = []
    each = [(in_order(spec, order, path=found.path), order) for order in _orders(orders, spec, where=shown(found))]
    for (asked, order), seed in itertools.product(each, _distinct(seeds or spec.seeds)):
        for strategy in chosen:
            values = _strategy_values(strategy, settings)
            origins, train, changed, weights = recipes[strategy.kind.static]
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
                    origins={"scenario": found.origin, "dataset": source.origin}
                    | origins
                    | {"seed": "--seed" if seeds else shown(found)}
                    | {f"{strategy.entry.name}.{name}": origin for name, (_, origin) in values.items()},
                    changed_train=changed,
                    weights=weights,
                    unpinned=unpinned,
                    kind=None if imported else strategy.kind,
                )
            )
    if imported:
        _check_strategies(plans)
    _check_distinct(plans, where=shown(found))
    return plans


def _check_protocol(spec: ScenarioSpec, pins: PinsSpec, *, path: Path, source: str) -> None:
    """Raise UsageError where `pins` belong to another protocol: labels, images or data set were changed since.

    `path` is the scenario's file, `source` names it in messages. Pins that do not say what they were written for pass.
    """
    if pins.protocol in ("", spec.protocol_digest()):
        return
    beside = [file.name for file in scenario_files(path)[1:]]
    removed = f" and remove {pins_name(path)}" if pins_name(path) in beside else ""
    raise UsageError(
        f"{source}: {beside[0] if beside else 'pins'}: was written for other labels, images or data than this file "
        "asks for now.",
        hint=f"For a protocol of your own take the line `pins:` out{removed}, or write its own pins: "
        f"python -m clbench.stream.pins.write {source}. To run it as it is, in rows that are marked: --unpinned.",
    )


def _orders(asked: int | Sequence[str], spec: ScenarioSpec, *, where: str) -> list[str]:
    """Return the orders to run: those asked for, else those of the scenario's file."""
    source = "--orders" if asked else f"{where}: orders"
    return chosen_orders(asked or spec.orders, spec, source=source)


def _asks_for_more(item: Plan) -> bool:
    """Return whether a plan says something that only imported code can check."""
    heads = {"head", "head_options"} & set(item.fields)
    validated = item.kind is not None and item.kind.validates and item.fields
    return bool(heads or validated or not item.values)


def _chosen(
    spec: ScenarioSpec, source: DataSource, names: Sequence[str], *, where: str, imported: bool
) -> list[Chosen]:
    """Return the strategies to run: those named, else the stand-in's list where it has one, else the scenario's."""
    lists = [_written(spec.strategies, where=where, below=[])]
    if source.stand_in and spec.stand_in is not None and spec.stand_in.strategies:
        lists.insert(0, _written(spec.stand_in.strategies, where=f"{where}: {STAND_IN}", below=lists[0]))
    found: list[Chosen] = []
    if not names and not lists[0]:
        raise UsageError(f"{where}: strategies: the list is empty.", hint="Name one there, or with --strategy.")
    for name in _distinct(names or [name for name, _ in lists[0]]):
        entry = catalog.find_strategy(name)
        kind = cast("type[Strategy] | None", None if imported else read_kind(entry)) or class_in(entry)
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
                default = class_in(item.entry).defaults()["head"]
                known = values["head"] in HEADS
                hint = error.hint if known else f"{error.hint} The default of {item.entry.name} is {default}."
                raise UsageError(f"{where}: {error.message}", hint=hint) from error


def _distinct(items: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
