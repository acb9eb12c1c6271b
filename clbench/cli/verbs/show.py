"""`clbench show`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from clbench.cli import complete, options
from clbench.cli.terminal import output
from clbench.errors import DataError, UsageError
from clbench.plan import catalog
from clbench.plan.plan import Plan, all_values
from clbench.plan.plans import plan
from clbench.plan.provenance import provenance
from clbench.spec.orders import order_name

if TYPE_CHECKING:
    from clbench.data.table import LabelTable
    from clbench.stream.stream import Stream

GLANCED = 200
"""So many photos are looked at; `clbench data check` opens all of them."""


@click.command()
@click.argument("scenario", type=complete.SCENARIO)
@options.choice
@options.orders_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(scenario: str, orders: str, as_json: bool, **chosen: Any) -> None:
    """Show every value of a run and where it comes from, or what a strategy says of itself.

    Of a scenario it shows the labels in their order and the images of each session too, in each order asked for.

    SCENARIO is a name or the path of a scenario file, or the name of a strategy.

    \b
    Examples:
      clbench show coco_b40c10
      clbench show coco_b40c10 --strategy er --set er.memory=400
      clbench show scenarios/coco_b40c10.yaml --json
      clbench show coco_b40c10 --orders 5
      clbench show ridge
    """
    method = next((entry for entry in catalog.strategies() if entry.name == scenario and not entry.problem), None)
    if method is not None and scenario not in {entry.name for entry in catalog.scenarios()}:
        _show_strategy(method, as_json=as_json)
        return
    plans = plan(scenario, orders=options.orders(orders), **options.parsed(**chosen), read_only=True, absent="shown")
    firsts = [item for item in plans if (item.seed, item.order) == (plans[0].seed, plans[0].order)]
    table = _read(firsts[0])
    each = {item.order: item for item in plans}
    if as_json:
        told = {order: _sessions(item, table) for order, item in each.items()}
        wanted = [item for item in plans if item.seed == plans[0].seed]
        plain = [_plain(item) | {"order": _order(item)} | told[item.order] for item in wanted]
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
        return
    _show_scenario(firsts[0], table, seeds=list(dict.fromkeys(item.seed for item in plans)))
    for item in each.values():
        _show_sessions(item, table)
    usual = {name: found for name, found in all_values(firsts[0]).items() if name.startswith("train.")}
    for item in firsts:
        values = all_values(item)
        if item is not firsts[0]:
            values = {name: found for name, found in values.items() if usual.get(name) != found}
        click.echo()
        if any(name.startswith("train.") for name in values):
            whose = "recipe" if item is firsts[0] else f"recipe of {item.entry.name}"
            output.table([whose, "", ""], _rows(values, "train."))
            click.echo()
        output.table([item.entry.name, "", ""], _rows(values, f"{item.entry.name}."))


def _show_strategy(entry: catalog.Entry, *, as_json: bool) -> None:
    from clbench.plan.load_strategy import load_strategy

    said, values = provenance(entry), load_strategy(entry)().values()
    if as_json:
        click.echo(json.dumps({"strategy": entry.name, "title": entry.title, "provenance": said, "fields": values}))
        return
    output.table([entry.name, entry.title], [["file", f"{entry.path} ({entry.origin})"], *map(list, said.items())])
    click.echo()
    output.table(["field", "default"], [[name, _text(value)] for name, value in values.items()])


def _show_scenario(item: Plan, table: LabelTable | DataError, *, seeds: list[int]) -> None:
    spec = item.scenario
    data = f"{item.dataset} (stand-in for {spec.dataset})" if item.stand_in else item.dataset
    choices = ", ".join(f"{name}: {value}" for name, value in item.options.items())
    output.table(
        [f"{spec.name}.v{spec.version}", spec.title],
        [
            ["file", f"{item.scenario_path} ({item.scenario_origin})"],
            ["data", f"{data}{f' ({choices})' if choices else ''} <- {item.origins['dataset']}"],
            ["labels", _labels(item)],
            *_table(item, table),
            ["images", f"{spec.images}; visible labels: {spec.visible}; test: {spec.test}"],
            ["seeds", f"{', '.join(map(str, seeds))} <- {item.origins['seed']}"],
            *([["input", item.input_note]] if item.input_note else []),
            ["digest", spec.digest()],
        ],
    )


def _show_sessions(item: Plan, table: LabelTable | DataError) -> None:
    """Print which labels arrive in each session of a plan's stream, and on how many images."""
    from clbench.cli.terminal.sessions import TITLES, session_rows
    from clbench.metrics.without_ap import told_without_ap
    from clbench.stream.stream import without_positives

    if isinstance(table, DataError):
        return
    click.echo()
    try:
        stream = _stream(item, table)
        output.table(TITLES, session_rows(stream), title=f"Sessions, {_order(item)} order")
    except (DataError, UsageError) as error:
        output.say(f"Its sessions in {_order(item)} order cannot be shown: {error.message}")
        return
    if missing := without_positives(stream):
        output.say(told_without_ap(missing, labels=len(stream.labels)))


def _sessions(item: Plan, table: LabelTable | DataError) -> dict[str, Any]:
    """Return what the sessions of a plan show, and which labels have no AP; None where that is not known here."""
    from clbench.cli.terminal.sessions import sessions
    from clbench.stream.stream import without_positives

    try:
        stream = None if isinstance(table, DataError) else _stream(item, table)
    except (DataError, UsageError):
        stream = None
    if stream is None:
        return {"sessions": None, "without_ap": None}
    return {"sessions": sessions(stream), "without_ap": without_positives(stream)}


def _stream(item: Plan, table: LabelTable) -> Stream:
    """Return the stream of a plan, as its runs have it. Raises DataError and UsageError where there is none."""
    import numpy as np

    from clbench.data.datasets.registry import is_path
    from clbench.data.table import check_known
    from clbench.stream.build import build_stream

    stream = build_stream(table, item.scenario)
    if is_path(item.dataset):
        check_known(table, np.isin(table.labels, stream.labels))
    return stream


def _order(item: Plan) -> str:
    return item.order or order_name(item.scenario.labels)


def _read(item: Plan) -> LabelTable | DataError:
    """Return the label table, or why it cannot be read."""
    from clbench.data.datasets.registry import read_table

    try:
        return read_table(item.dataset, root=item.root, options=item.options, photos=False)
    except DataError as error:
        return error


def _table(item: Plan, table: LabelTable | DataError) -> list[list[str]]:
    """Return what the label table says, or why it cannot be read."""
    from clbench.data.datasets.registry import is_path
    from clbench.data.fetch.describe_labels import head, label_lines, remarks, summary

    if isinstance(table, DataError):
        return [["", f"not readable: {table.message}"]]
    listed = [f"{what}: {names}" for what, names in label_lines(table)]
    odd = (
        [f"{one.text}{': ' if one.names else ''}{one.listed}" for one in remarks(table)]
        if is_path(item.dataset)
        else []
    )
    return [["", text] for text in [head(table), *summary(table), *listed, *odd, *_photos(item, table)]]


def _photos(item: Plan, table: LabelTable) -> list[str]:
    """Return what the headers of a user's photos say, of the first ones where there are many."""
    from clbench.data.datasets.registry import is_path
    from clbench.data.fetch.photo_probe import glance, kinds

    if item.root is None or not is_path(item.dataset):
        return []
    paths = table.paths[:GLANCED].tolist()
    seen = [photo for path in paths if (photo := glance(item.root / path)).width]
    of = f"of the first {GLANCED} photos, " if len(table) > GLANCED else ""
    return [f"{of}{sentence}" for sentence in kinds(seen)]


def _labels(item: Plan) -> str:
    labels = item.scenario.labels
    if labels.sessions:
        return f"{len(labels.sessions)} sessions, written out"
    order = labels.order if isinstance(labels.order, str) else "listed"
    if labels.increment == 0:
        return f"{order} order, all in one session"
    return f"{order} order, {labels.base or labels.increment} labels first, then {labels.increment} per session"


def _rows(values: dict[str, tuple[Any, str]], prefix: str) -> list[list[str]]:
    return [
        [name.removeprefix(prefix), _text(value), f"<- {origin}"]
        for name, (value, origin) in values.items()
        if name.startswith(prefix)
    ]


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (dict, list, bool)) or value in ("", None) else str(value)


def _plain(item: Plan) -> dict[str, Any]:
    return {
        "scenario": item.scenario.name,
        "version": item.scenario.version,
        "digest": item.scenario.digest(),
        "dataset": item.dataset,
        "stand_in": item.stand_in,
        "strategy": item.entry.name,
        "seed": item.seed,
        "values": {name: {"value": value, "origin": origin} for name, (value, origin) in all_values(item).items()},
    }
