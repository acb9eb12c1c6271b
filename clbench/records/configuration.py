"""`config.yaml`: the values of a configuration as people read them, which are those of its records."""

from __future__ import annotations

from typing import Any

import msgspec

from clbench.errors import UsageError
from clbench.files.yaml_text import read_yaml, yaml_text
from clbench.records.orders import order_of
from clbench.records.record import Record


def configuration_text(*, scenario: str, dataset: str, strategy: str, fields: Any, train: Any, order: str = "") -> str:
    """Return the text of `config.yaml`, from values as a run has them or as a record has them."""
    told = _told(scenario, order, dataset, {strategy: fields}, train)
    # as JSON has them: what two fields share would be written once and referred to
    return yaml_text(msgspec.json.decode(msgspec.json.encode(told)))


def other_section(record: Record, text: bytes) -> str:
    """Return which section of a `config.yaml` is not what the record says, "" where all of it is."""
    about, order = record.scenario, order_of(record)
    told = _told(about.name, order, about.dataset, {record.strategy.name: record.strategy.fields}, record.train)
    try:
        found = read_yaml(text, source="config.yaml")
    except UsageError as error:
        found = {"text": error.message}
    if found == told:
        return ""
    import yaml

    # files of earlier releases have a text such as 1e3 without quotes, which is read as a number
    if text == yaml.safe_dump(msgspec.json.decode(msgspec.json.encode(told)), sort_keys=False).encode():
        return ""
    names = found if isinstance(found, dict) else {}
    return next((str(name) for name in [*told, *names] if name not in told or names.get(name) != told[name]), "text")


def _told(scenario: str, order: str, dataset: str, strategy: dict[str, Any], train: Any) -> dict[str, Any]:
    """Return the sections of `config.yaml`; the scenario's own class order goes without saying."""
    first = {"scenario": scenario} | ({"order": order} if order else {})
    return {**first, "dataset": dataset, "strategy": strategy, "train": train}
