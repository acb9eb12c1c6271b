"""Whether a stream is the pinned one, and if not, what differs first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from clbench.errors import DataError, UsageError
from clbench.spec.scenario import PinsSpec, ScenarioSpec
from clbench.stream.pins.sketch import differences, keys, text_of
from clbench.stream.stream import StreamDigest

if TYPE_CHECKING:
    from clbench.stream.stream import Session, Stream

_COUNTS = re.compile(r"[0-9]{1,9}/[0-9]{1,9}")


def check_pins(stream: Stream, pins: PinsSpec | ScenarioSpec, *, source: str = "") -> None:
    """Raise DataError where `stream` is not the one that `pins` (or the pins of a scenario) describe.

    Names the first session that differs and, where the pinned sketch shows one, an image id (and label). `source` names
    the scenario in messages. Raises UsageError where a pin cannot be read. Empty pins are not checked.
    """
    if isinstance(pins, ScenarioSpec):
        source, pins = source or pins.name, pins.pins
    if not (pins.images or pins.labels):
        return
    found = stream.digest()
    for what in ("images", "labels"):
        pinned, actual = getattr(pins, what), getattr(found, what)
        if pinned and pinned != actual:
            where = _locate(stream, pins, found=found, labels=what == "labels", source=source)
            raise DataError(
                f"{source}: this is not the pinned stream: {where}",
                hint=f"The annotations of {stream.table.name}, its options or the protocol are not those of the pins: "
                f"clbench data check {stream.table.name}. A protocol of your own needs pins of its own, or none: "
                f"docs/orders.md. To run on it all the same, in rows that are marked: --unpinned.",
            )


def pinned_counts(pins: PinsSpec, *, source: str) -> list[tuple[int, int]]:
    """Return how many train and test images each pinned session has; the test sets grow, so the last is the fixed one.

    `source` names the scenario in messages. Raises UsageError where a pin cannot be read.
    """
    found = []
    for index, line in enumerate(pins.sessions):
        counts = line.partition(" ")[0]
        if not _COUNTS.fullmatch(counts):
            raise _not_a_pin(line, index=index, source=source)
        train, _, test = counts.partition("/")
        found.append((int(train), int(test)))
    return found


def _not_a_pin(line: str, *, index: int, source: str) -> UsageError:
    return UsageError(
        f"{source}: pins.sessions[{index}]: {line[:40]!r} is not a session's pin.",
        hint="Write the pins anew with `python -m clbench.stream.pins.write`.",
    )


def _locate(stream: Stream, pins: PinsSpec, *, found: StreamDigest, labels: bool, source: str) -> str:
    pinned = pins.sessions
    if pinned and len(pinned) != len(found.per_session):
        return f"it has {len(found.per_session)} sessions, pinned are {len(pinned)}."
    for session, line, wanted in zip(stream.sessions, found.per_session, pinned, strict=False):
        have, want = line.split(), wanted.split()
        if len(want) not in (3, 5) or not _COUNTS.fullmatch(want[0]):
            raise _not_a_pin(wanted, index=session.index, source=source)
        for start in (1, 3) if labels else (1,):
            if have[start : start + 1] != want[start : start + 1] and len(want) > start:
                try:
                    named = differences(have[start + 1], want[start + 1])
                except ValueError as error:
                    raise UsageError(f"{source}: pins.sessions[{session.index}]: damaged ({error}).") from error
                what = _named(stream, session, named, labels=start == 3)
                pinned_counts = f"pinned are {_counts(want[0])}"
                other = "as pinned, but not the same" if have[0] == want[0] else pinned_counts
                return f"session {session.index} has {_counts(have[0])}, {other}{what}."
    where = "the test truth" if labels else "the label order, the fixed test set or the validation split"
    return f"all pinned sessions agree, but not {where}." if pinned else "its digest differs (no session is pinned)."


def _named(stream: Stream, session: Session, named: Iterable[tuple[int, int]], *, labels: bool) -> str:
    known = dict(zip(keys(stream.table.ids).tolist(), stream.table.ids.tolist(), strict=True))
    here = set(stream.table.ids[np.concatenate([session.rows, session.test_rows])].tolist())
    spelled = sorted((known.get(key) or text_of(key), number) for key, number in named)
    for text, number in spelled:
        if not text:
            continue
        if labels:
            label = session.labels[number // 2] if number // 2 < len(session.labels) else "?"
            return f"; the label {label!r} of image {text!r} differs"
        state = "is not pinned" if text in here else "is missing"
        return f"; image {text!r} {state}"
    return ""


def _counts(pair: str) -> str:
    train, _, test = pair.partition("/")
    return " and ".join(f"{int(n):,} {part}" for n, part in ((train, "train"), (test, "test"))) + " images"
