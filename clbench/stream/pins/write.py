"""Write the digests of a scenario's stream into its file: `python -m clbench.stream.pins.write FILE`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from clbench.data.table import LabelTable
from clbench.errors import ClbenchError, UsageError
from clbench.spec.scenario import PinsSpec, ScenarioSpec, parse_scenario
from clbench.stream.build import build_stream
from clbench.stream.pins.digest import StreamDigest


def pin(path: Path, *, table: LabelTable, labels: bool, lists: Path | None = None, stand_in: bool = False) -> PinsSpec:
    """Rewrite the pins of the scenario file `path` for `table` and return them; everything else stays as it is.

    `labels` pins the label values too; leave it out where only the images are established. `lists` is the folder of
    published id lists. `stand_in` pins the stand-in's stream. Raises UsageError where the file has no stand-in, and as
    `build_stream` does.
    """
    # bytes are decoded by hand: the line ends of the file are the writer's business
    text = path.read_bytes().decode()
    spec = parse_scenario(text, source=str(path))
    wanted = stand_in_spec(spec) if stand_in else spec
    pins = pins_of(build_stream(table, wanted, lists=lists).digest(), labels=labels)
    after = with_pins(text, pins=pins, stand_in=stand_in)
    if spec.stand_in is not None and stand_in:
        meant = msgspec.structs.replace(spec, stand_in=msgspec.structs.replace(spec.stand_in, pins=pins))
    else:
        meant = msgspec.structs.replace(spec, pins=pins)
    if parse_scenario(after, source=str(path)) != meant:
        raise UsageError(
            f"{path}: its pins cannot be replaced.", hint="Write `pins:` and `stand_in:` on lines of their own."
        )
    path.write_bytes(after.encode())
    return pins


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


def with_pins(text: str, *, pins: PinsSpec, stand_in: bool = False) -> str:
    """Return the YAML `text` with `pins` in place of its own; comments and layout outside the block stay."""
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    start, stop, indent = 0, len(lines), ""
    if stand_in:
        start, stop = _block(lines, key="stand_in:", start=0, stop=len(lines), indent="") or (len(lines), len(lines))
        indent = next(
            (line[: len(line) - len(line.lstrip())] for line in lines[start + 1 : stop] if line.strip()), "  "
        )
    old = _block(lines, key="pins:", start=start, stop=stop, indent=indent)
    before = (_block(lines, key="train:", start=start, stop=stop, indent=indent) or (stop, stop))[0]
    while before < stop and before > start + 1 and lines[before - 1].startswith(indent + "#"):
        before -= 1
    first, last = old or (before, before)
    comments = [line for line in lines[first:last] if line.strip().startswith("#")]
    body = [f"{indent}pins:", f"{indent}  images: {pins.images}"]
    if pins.labels:
        body.append(f"{indent}  labels: {pins.labels}")
    body += [f"{indent}  sessions:", *(f"{indent}    - {line}" for line in pins.sessions)]
    block = [body[0] + end, *comments, *(line + end for line in body[1:])]
    if first and not lines[first - 1].endswith("\n"):
        block.insert(0, end)
    if old is None and not indent and last < len(lines):
        block.append(end)
    return "".join([*lines[:first], *block, *lines[last:]])


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
    parser.add_argument("scenario", type=Path, help="the scenario file to rewrite")
    parser.add_argument("--data", type=Path, help="the data set's folder; default: where `clbench data get` puts it")
    parser.add_argument("--lists", type=Path, help="the folder of published id lists")
    parser.add_argument("--labels", action="store_true", help="pin the label values too")
    parser.add_argument("--stand-in", action="store_true", help="pin the stand-in's stream")
    given = parser.parse_args(arguments)
    try:
        spec = parse_scenario(given.scenario.read_bytes(), source=str(given.scenario))
        spec = stand_in_spec(spec) if given.stand_in else spec
        own = given.scenario.parent / spec.dataset
        dataset = str(own) if own.is_file() else spec.dataset
        table = open_table(dataset, root=given.data, options=spec.options, photos=False)
        pins = pin(given.scenario, table=table, labels=given.labels, lists=given.lists, stand_in=given.stand_in)
    except (ClbenchError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return getattr(error, "exit_code", 1)
    sys.stdout.write(f"{given.scenario}: images {pins.images}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
