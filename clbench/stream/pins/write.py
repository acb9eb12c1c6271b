"""Write the digests of a scenario's stream beside its file: `python -m clbench.stream.pins.write FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from clbench.data.table import LabelTable
from clbench.errors import ClbenchError, UsageError
from clbench.spec.orders import chosen_orders, labels_in_order
from clbench.spec.scenario import (
    OrderPins,
    PinsFile,
    PinsSpec,
    ScenarioSpec,
    load_scenario,
    parse_scenario,
    pins_beside,
    pins_name,
)
from clbench.stream.build import build_stream
from clbench.stream.stream import StreamDigest


def pin(
    path: Path,
    *,
    table: LabelTable,
    labels: bool,
    lists: Path | None = None,
    stand_in: bool = False,
    orders: int | Sequence[str] = (),
) -> PinsSpec:
    """Write the pins of the scenario file `path` for `table` into `NAME.pins.json` beside it, and return them.

    The scenario gets a line that names this file; pins that stood in it move there, everything else stays as it is.
    `labels` pins the label values too; leave it out where only the images are established. `lists` is the folder of
    published id lists. `stand_in` pins the stand-in's stream. `orders` are class orders to pin beside the scenario's
    own, as `chosen_orders` takes them; those that the file pins already stay in it. Raises UsageError where the file
    has no stand-in, and as `build_stream` does.
    """
    # bytes are decoded by hand: the line ends of the file are the writer's business
    text = path.read_bytes().decode()
    spec = load_scenario(path)
    before = pins_beside(path)

    def found(order: str) -> PinsSpec:
        asked = msgspec.structs.replace(spec, labels=labels_in_order(spec, order))
        stream = build_stream(table, stand_in_spec(asked) if stand_in else asked, lists=lists)
        return pins_of(stream.digest(), labels=labels)

    pins = found("")
    protocol = spec.protocol_digest()
    same = before.protocol in ("", protocol)  # pins of another protocol are of no use any more
    others = before.orders if same else {}
    for order in chosen_orders(orders, spec, source=f"{path}: orders"):
        if order:
            # where another order differs, the sessions of the scenario's own say what does
            told = msgspec.structs.replace(found(order), sessions=[])
            others = others | {order: _beside(told, others.get(order, OrderPins()), stand_in=stand_in)}
    earlier = OrderPins(
        **_bare(spec.pins), stand_in=PinsSpec(**_bare(spec.stand_in.pins if spec.stand_in else PinsSpec()))
    )
    own = _beside(pins, earlier if same else OrderPins(), stand_in=stand_in)
    after = with_pins_named(text, pins_name(path))
    bare = msgspec.structs.replace(spec, pins=PinsSpec())
    if spec.stand_in is not None:
        bare = msgspec.structs.replace(bare, stand_in=msgspec.structs.replace(spec.stand_in, pins=PinsSpec()))
    if parse_scenario(after, source=str(path)) != bare:
        raise UsageError(f"{path}: its pins cannot be moved.", hint="Write `pins:` on lines of their own.")
    whole = PinsFile(**_bare(own), protocol=protocol, stand_in=own.stand_in, orders=others)
    beside = msgspec.json.format(msgspec.json.encode(whole), indent=2)
    path.with_name(pins_name(path)).write_bytes(beside + b"\n")
    path.write_bytes(after.encode())
    return msgspec.structs.replace(pins, protocol=protocol)


def _beside(pins: PinsSpec, before: OrderPins, *, stand_in: bool) -> OrderPins:
    """Return the pins of data and stand-in where those of one of them are new."""
    if stand_in:
        return msgspec.structs.replace(before, stand_in=pins)
    return OrderPins(**_bare(pins), stand_in=before.stand_in)


def _bare(pins: PinsSpec) -> dict[str, Any]:
    """Return the digests alone: what they were written for stands in a file once."""
    return {"images": pins.images, "labels": pins.labels, "sessions": pins.sessions}


def pins_of(digest: StreamDigest, *, labels: bool) -> PinsSpec:
    """Return the pins of a stream, without the label values where `labels` is false."""
    lines = [line if labels else " ".join(line.split()[:3]) for line in digest.per_session]
    return PinsSpec(images=digest.images, labels=digest.labels if labels else "", sessions=lines)


def stand_in_spec(spec: ScenarioSpec) -> ScenarioSpec:
    """Return the scenario as it runs on its stand-in. Raises UsageError where it has none."""
    other = spec.stand_in
    if other is None:
        raise UsageError(f"{spec.name}: has no stand_in.", hint="Give it one, or name the data set's folder.")
    return msgspec.structs.replace(spec, dataset=other.dataset, options=other.options, pins=other.pins, stand_in=None)


def with_pins_named(text: str, name: str) -> str:
    """Return the YAML `text` with `pins: name` in place of its own pins and those of its stand-in; comments stay."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    inner = _block(lines, key="stand_in:", start=0, stop=len(lines), indent="")
    if inner is not None:
        written = [line for line in lines[inner[0] + 1 : inner[1]] if line.strip()]
        indent = next((line[: len(line) - len(line.lstrip())] for line in written), "  ")
        old = _block(lines, key="pins:", start=inner[0], stop=inner[1], indent=indent)
        if old is not None:
            lines[slice(*old)] = _comments(lines, old)
    block = _block(lines, key="pins:", start=0, stop=len(lines), indent="")
    if block is not None:
        lines[slice(*block)] = [*(line.lstrip() for line in _comments(lines, block)), f"pins: {name}{end}"]
        return "".join(lines)
    place = (_block(lines, key="train:", start=0, stop=len(lines), indent="") or (len(lines), 0))[0]
    while 0 < place < len(lines) and lines[place - 1].startswith("#"):
        place -= 1
    before = [end] if place and not lines[place - 1].endswith("\n") else []
    return "".join(
        [*lines[:place], *before, f"pins: {name}{end}", *([end] if place < len(lines) else []), *lines[place:]]
    )


def _comments(lines: list[str], block: tuple[int, int]) -> list[str]:
    return [line for line in lines[slice(*block)] if line.strip().startswith("#")]


def _block(lines: list[str], *, key: str, start: int, stop: int, indent: str) -> tuple[int, int] | None:
    """Return the first line of a key's block and the line after its last, or None; trailing blank lines stay out."""
    first = next((i for i in range(start, stop) if lines[i].startswith(indent + key)), None)
    if first is None:
        return None
    last = first + 1
    for i in range(first + 1, stop):
        if lines[i].strip() and not lines[i].startswith((indent + " ", indent + "-")):
            break
        last = i + 1 if lines[i].strip() else last
    return first, last


def main(arguments: list[str] | None = None) -> int:
    """Pin the scenario named on the command line; return the exit status."""
    from clbench.data.datasets.registry import open_table

    parser = argparse.ArgumentParser(prog="python -m clbench.stream.pins.write", description=__doc__)
    parser.add_argument("scenario", type=Path, help="the scenario file")
    parser.add_argument("--data", type=Path, help="the data set's folder; default: where `clbench data get` puts it")
    parser.add_argument("--lists", type=Path, help="the folder of published id lists")
    parser.add_argument("--labels", action="store_true", help="pin the label values too")
    parser.add_argument(
        "--orders", default="", metavar="N|NAME[,NAME]", help="class orders to pin too: how many, or which"
    )
    parser.add_argument("--stand-in", action="store_true", help="pin the stand-in's stream")
    given = parser.parse_args(arguments)
    try:
        spec = load_scenario(given.scenario)
        spec = stand_in_spec(spec) if given.stand_in else spec
        own = given.scenario.parent / spec.dataset
        dataset = str(own) if own.is_file() else spec.dataset
        table = open_table(dataset, root=given.data, options=spec.options, photos=False)
        orders = int(given.orders) if given.orders.isdigit() else [name for name in given.orders.split(",") if name]
        pins = pin(
            given.scenario,
            table=table,
            labels=given.labels,
            lists=given.lists,
            stand_in=given.stand_in,
            orders=orders,
        )
    except (ClbenchError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return getattr(error, "exit_code", 1)
    sys.stdout.write(f"{given.scenario}: images {pins.images}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
