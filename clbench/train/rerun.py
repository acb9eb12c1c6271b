"""Reproduction: a record's run carried out again from what the record says, and compared number by number."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import UsageError
from clbench.files.yaml_text import convert
from clbench.plan import catalog, plans
from clbench.plan.plan import Plan, class_in
from clbench.plan.recipe import bound_values
from clbench.plan.source import find_source, stand_in_source
from clbench.records.json_paths import join
from clbench.records.orders import order_of
from clbench.records.record import Record, read_record, to_plain, tuning_of
from clbench.records.verify.findings import Finding
from clbench.spec.orders import load_in_order, order_name
from clbench.spec.scenario import ScenarioSpec, TrainSpec
from clbench.train.events import Watch
from clbench.train.run import RunOptions, run
from clbench.weights.resolve import resolve as found_weights

COMPARED = ("configuration", "labels", "learned", "ap", "counts", "costs", "summary", "scores")
"""Sections that must be the same. Which code and machine ran is told only where a number differs."""
STREAM = ("digest", "dataset", "stand_in", "sessions", "stream", "data")
"""What of the scenario must be the same; its title, say, may be another."""
STRATEGY = ("name", "head", "fields", "changed")
"""What of the strategy must be the same; its file may lie elsewhere."""
OF_THE_PLACE = {"dirty", "dirty-unknown", "local-strategy", "local-scenario"}
"""Marks that say where and from what a run was started, which may differ."""
TOLD = 20
"""Differences named one by one."""


def reproduce(
    path: Path,
    results: Path,
    *,
    data: Path | None = None,
    strategy: Path | None = None,
    scenario: Path | None = None,
    watch: Watch | None = None,
) -> list[Finding]:
    """Carry out the run of the record in `path` again, below the folder `results`, and return what differs.

    Scenario and strategy are found by name, or are the files that are given; a run leaves both beside its scores. Every
    value is the record's, `data` is the data set's folder. Empty when every number is the same. On a CPU with the same
    versions it is; a GPU or another version of torch may move last digits. Raises UsageError where scenario or strategy
    are not here, DataError where the data is not.
    """
    record = read_record(path)
    wanted = plan_of(record, data=data, strategy=strategy, scenario=scenario)
    wanted = dataclasses.replace(wanted, weights=found_weights(wanted.train.weights, backbone=wanted.train.backbone))
    threads, device = record.environment.get("threads"), record.environment.get("device")
    options = RunOptions(
        results=results,
        device="cpu" if device == "cpu" else "auto",
        threads=threads if isinstance(threads, int) and threads > 0 else 1,
        resume=False,
    )
    return differences(record, read_record(run(wanted, options, watch=watch)))


def plan_of(
    record: Record, *, data: Path | None = None, strategy: Path | None = None, scenario: Path | None = None
) -> Plan:
    """Return the plan that a record's run had, without its weights; scenario and strategy by name or in files given.

    Raises UsageError for a scenario that asks for another stream now, or a strategy of another name.
    """
    about, ran = record.scenario, record.strategy
    if strategy is not None and strategy.stem != ran.name:
        raise UsageError(f"{strategy}: the record's strategy is {ran.name}, in a file of that name.")
    found = catalog.find_scenario(str(scenario or about.name))
    order = order_of(record)
    spec = load_in_order(found.path, order)
    if spec.digest() != about.digest:
        raise UsageError(
            f"{found.path} is not the scenario of the record: its digest is {spec.digest()[:12]}, not "
            f"{about.digest[:12]}.",
            hint="Run it again with the version of the scenario that the record ran on.",
        )
    source = stand_in_source(spec) if about.stand_in else find_source(spec, path=found.path, data=data)
    if source.stand_in != about.stand_in:
        raise UsageError(
            f"{about.name}: the record ran on {spec.dataset}, which is not on this machine.",
            hint=f"Name its folder: --data FOLDER, or clbench data get {spec.dataset}",
        )
    # the recipe is the record's: weights of the scenario's need not be here
    (usual,) = plans.plan(
        str(found.path),
        strategies=[str(strategy or ran.name)],
        seeds=[record.seed],
        orders=[order or order_name(spec.labels)],
        sets=["train.weights="],
        data=source.root,
        unpinned="unpinned" in record.marks,
    )
    train: TrainSpec = convert(record.train, TrainSpec, source=f"record of {about.name}: train")
    return dataclasses.replace(
        usual,
        stand_in=source.stand_in,
        dataset=source.dataset,
        options=source.options,
        root=source.root,
        fields=dict(ran.fields),
        train=train,
        changed_train=_changed(train, spec, stand_in=about.stand_in, bound=class_in(usual.entry).static),
        tuning=tuning_of(record),
        protocol=record.protocol,
    )


def _changed(train: TrainSpec, spec: ScenarioSpec, *, stand_in: bool, bound: bool) -> tuple[str, ...]:
    """Return the values of a recipe that are not the scenario's own, whatever a record says of them."""
    usual = msgspec.to_builtins(spec.train)
    if stand_in and spec.stand_in is not None:
        usual |= spec.stand_in.train
    if bound:
        usual |= bound_values(spec, stand_in=stand_in)
    recipe = msgspec.to_builtins(convert(usual, TrainSpec, source=spec.name))
    return tuple(name for name, value in msgspec.to_builtins(train).items() if value != recipe[name])


def differences(record: Record, again: Record) -> list[Finding]:
    """Return where two records of one run disagree, and, if they do, what of code and machine differs."""
    told, fresh = to_plain(record), to_plain(again)
    if "photos" not in told["scenario"]["data"]:  # an older record: it cannot say which pictures it saw
        fresh["scenario"]["data"].pop("photos", None)
    found = [finding for name in COMPARED for finding in _between(name, told[name], fresh[name])]
    for name in STREAM:
        found += _between(f"scenario.{name}", told["scenario"][name], fresh["scenario"][name])
    for name in STRATEGY:
        found += _between(f"strategy.{name}", told["strategy"][name], fresh["strategy"][name])
    found += _marks(_of_the_run(told["marks"]), _of_the_run(fresh["marks"]))
    if not found:
        return []
    shown = found[:TOLD]
    if len(found) > TOLD:
        shown.append(Finding("the record", f"differs in {len(found) - TOLD} more places"))
    return [*_circumstances(told, fresh), *shown]


def _circumstances(told: dict[str, Any], fresh: dict[str, Any]) -> Iterator[Finding]:
    """Yield what may explain a difference: another strategy file, another clbench, another machine."""
    if told["strategy"]["sha256"] != fresh["strategy"]["sha256"]:
        yield Finding("strategy.sha256", "is not that of the strategy's file here")
    for name in ("clbench", "protocol"):
        yield from _between(name, told[name], fresh[name])
    if told["code"]["commit"] != fresh["code"]["commit"] or not (
        told["code"]["dirty"] is fresh["code"]["dirty"] is False
    ):
        yield Finding("code", "is not the same, or was changed without a commit")
    yield from _between("environment", told["environment"], fresh["environment"])


def _of_the_run(marks: list[str]) -> set[str]:
    return {mark for mark in marks if mark not in OF_THE_PLACE and not mark.startswith("world-")}


def _marks(told: set[str], fresh: set[str]) -> Iterator[Finding]:
    for mark in sorted(fresh - told):
        yield Finding("marks", f"lacks '{mark}', which the run carries when it is run again")
    for mark in sorted(told - fresh):
        yield Finding("marks", f"has '{mark}', which the run does not carry when it is run again")


def _between(path: str, told: Any, fresh: Any) -> Iterator[Finding]:
    if isinstance(told, dict) and isinstance(fresh, dict):
        for key in {**told, **fresh}:
            if key not in told or key not in fresh:
                yield Finding(join(path, key), "is new" if key in fresh else "is not there when it is run again")
            else:
                yield from _between(join(path, key), told[key], fresh[key])
    elif isinstance(told, list) and isinstance(fresh, list) and len(told) == len(fresh):
        for index, (left, right) in enumerate(zip(told, fresh, strict=True)):
            yield from _between(join(path, index), left, right)
    elif told != fresh:
        yield Finding(path, f"is {_short(told)}; run again it is {_short(fresh)}")


def _short(value: Any) -> str:
    text = repr(value)
    return f"{text[:12]}...'" if isinstance(value, str) and len(text) > 60 else text[:60]
