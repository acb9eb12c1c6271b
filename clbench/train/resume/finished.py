"""The strategy of a finished run, made again from its record alone: no image and no data set is needed."""

from __future__ import annotations

import torch

from clbench.errors import UsageError
from clbench.files.yaml_text import convert
from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import Backbone, build_backbone
from clbench.plan import catalog
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.spec.orders import load_in_order
from clbench.spec.scenario import ScenarioSpec, TrainSpec
from clbench.stream.stream import Session
from clbench.train.resume.structure import bare_sessions


def recipe_of(record: Record) -> TrainSpec:
    """Return the recipe of a run."""
    found: TrainSpec = convert(record.train, TrainSpec, source=f"record of {record.scenario.name}: train")
    return found


def scenario_of(record: Record, *, scenario: str = "") -> ScenarioSpec:
    """Return the record's scenario, from the file `scenario` or by its name. Raises UsageError for another stream's."""
    found = catalog.find_scenario(scenario or record.scenario.name)
    spec = load_in_order(found.path, order_of(record))
    if spec.digest() != record.scenario.digest:
        raise UsageError(
            f"{found.path} is not the scenario of the record: another stream.",
            hint="Name the version of the scenario that it ran on: --scenario FILE",
        )
    return spec


def sessions_of(record: Record, spec: ScenarioSpec) -> tuple[Session, ...]:
    """Return the sessions that a run saw, without their images."""
    new = [len(session.labels) for session in record.scenario.sessions]
    return bare_sessions(record.labels, new=new, all_seen=spec.visible == "all")


def strategy_of(record: Record, kind: type[Strategy]) -> Strategy:
    """Return the strategy of a run before its first session, its weights anything.

    Torch's global generator is left as it was. Raises UsageError for a run on stored features.
    """
    train = recipe_of(record)
    if train.backbone == "none":
        raise UsageError(
            f"{record.scenario.name}: {record.strategy.name}: ran on stored features; no network of it takes pictures."
        )
    strategy = kind.configured(record.strategy.fields, source=f"record of {record.strategy.name}")
    strategy._train = train
    with torch.random.fork_rng(devices=[]):
        strategy.build(backbone_of(train), tuple(record.labels))
    return strategy


def backbone_of(train: TrainSpec) -> Backbone:
    """Return the backbone of a recipe with random weights."""
    return build_backbone(
        train.backbone, image_size=train.image_size, normalize=train.normalize, channels_last=train.channels_last
    )
