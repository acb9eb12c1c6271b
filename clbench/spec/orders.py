"""Class orders: a scenario whose labels arrive in another order than its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, count, islice
from pathlib import Path

import msgspec

from clbench.errors import UsageError, suggest
from clbench.seeds import derive
from clbench.spec.scenario import LabelsSpec, ScenarioSpec, load_scenario, pins_beside, with_pins

NAMED = ("alphabetical", "official", "frequency")
"""Orders without a seed; the others are `shuffle:SEED`."""
MOST = 1000
"""Orders that a number may ask for."""
OWN = "own"
"""What a scenario's own order may always be called."""
_ORDER = re.compile(rf"({'|'.join(NAMED)}|shuffle:(0|[1-9][0-9]{{0,17}}))\Z")


def is_order(name: str) -> bool:
    """Return whether `name` is a class order's name."""
    return _ORDER.match(name) is not None


def order_name(labels: LabelsSpec) -> str:
    """Return what a scenario's own order is called; `own` where its labels are written out."""
    return labels.order if isinstance(labels.order, str) and not labels.sessions else OWN


def file_name(order: str) -> str:
    """Return how the order `shuffle:1` stands in names of files: `shuffle-1`."""
    return order.replace(":", "-")


def sorted_labels(names: Sequence[str], order: str) -> tuple[str, ...] | None:
    """Return the labels in an order that follows from their names alone; None for one that needs the data set.

    `alphabetical` compares code points, `shuffle:SEED` sorts by a hash of seed and label, which no library's version
    changes. UsageError: not an order's name.
    """
    if order == "alphabetical":
        return tuple(sorted(names))
    kind, _, seed = order.partition(":")
    if kind == "shuffle" and seed.isascii() and seed.isdigit():
        return tuple(sorted(names, key=lambda label: derive("label order", int(seed), label)))
    if order in NAMED:
        return None
    raise UsageError(
        f"{order!r} is not an order.{suggest(order, [*NAMED, 'shuffle:0'])}",
        hint=f"Write {', '.join(NAMED)} or shuffle:SEED.",
    )


def chosen_orders(asked: int | Sequence[str], spec: ScenarioSpec, *, source: str) -> list[str]:
    """Return the orders to run, each once, as `in_order` takes them: the scenario's own is the empty text.

    A number asks for the scenario's own order and as many of `shuffle:1`, `shuffle:2`, … as are missing; nothing asks
    for its own alone. `source` names who asked in messages. Raises UsageError for a name that is no order, more
    than `MOST`, and where no other order can be had.
    """
    if isinstance(asked, int):
        if asked > MOST:
            raise UsageError(f"{source}: {asked} orders are asked for.", hint=f"A number of orders is at most {MOST}.")
        shuffles = (name for seed in count(1) if (name := f"shuffle:{seed}") != spec.labels.order)
        found = ["", *islice(shuffles, asked - 1)]
    else:
        found = ["" if name in (OWN, order_name(spec.labels)) else name for name in asked] or [""]
    for name in found:
        if name and not is_order(name):
            raise UsageError(
                f"{source}: {name!r} is not an order.{suggest(name, [*NAMED, 'shuffle:1'])}",
                hint=f"Write {', '.join(NAMED)}, shuffle:SEED, or a number: 5 is the scenario's own order and four "
                "shuffled ones.",
            )
        labels_in_order(spec, name)
    return list(dict.fromkeys(found))


def labels_in_order(spec: ScenarioSpec, order: str) -> LabelsSpec:
    """Return the scenario's labels in another order, dealt to sessions of the same sizes; its own where it is empty.

    Raises UsageError where an order changes nothing or is not the scenario's to choose.
    """
    labels = spec.labels
    if not order:
        return labels
    if spec.images == "listed":
        raise UsageError(
            f"{spec.name}: orders: its sessions are published lists of images, made for one order.",
            hint="Leave out --orders, or take a scenario that is dealt by labels, such as coco_b40c10.",
        )
    if len(labels.sessions) == 1 or not (labels.sessions or labels.increment):
        raise UsageError(
            f"{spec.name}: orders: all labels arrive in one session, so their order changes nothing.",
            hint="Leave out --orders.",
        )
    if not labels.sessions:
        return msgspec.structs.replace(labels, order=order)
    names = sorted_labels(list(chain(*labels.sessions)), order)
    if names is None:
        raise UsageError(
            f"{spec.name}: orders: its sessions are written out, and {order!r} is an order of the data set.",
            hint="Write alphabetical or shuffle:SEED.",
        )
    left = iter(names)
    return msgspec.structs.replace(labels, sessions=[list(islice(left, len(part))) for part in labels.sessions])


def in_order(spec: ScenarioSpec, order: str, *, path: Path) -> ScenarioSpec:
    """Return the scenario with its labels in another order, pinned as the file beside `path` pins that order.

    `order` is a name, or empty for the scenario's own. Where the order is not pinned the scenario returned is not.
    Raises UsageError as `labels_in_order` does.
    """
    if not order:
        return spec
    pins = pins_beside(path).orders.get(order)
    spec = msgspec.structs.replace(spec, labels=labels_in_order(spec, order))
    empty = type(spec.pins)()
    return with_pins(spec, pins or empty, stand_in=pins.stand_in if pins else empty)


def load_in_order(path: Path, order: str, *, source: str = "") -> ScenarioSpec:
    """Return the scenario in the file `path` in an order, as `load_scenario` and `in_order` do."""
    return in_order(load_scenario(path, source=source), order, path=path)
