"""Rows: the records of one configuration over its seeds, and which rows may stand in one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from msgspec import UNSET

from clbench.errors import ResultsError
from clbench.records.orders import order_of, shown_order
from clbench.records.record import Record

MARKS = {
    "stand-in": "generated pictures stood in for the data set",
    "upper-bound": "saw the whole stream as one session with every label; a reference, never ranked",
    "local-strategy": "the strategy is not one that clbench ships",
    "local-scenario": "the scenario is not one that clbench ships",
    "all-photos": "keeps every photo it has met; other rows have a budget for what they keep",
    "changed-train": "the recipe differs from the scenario's",
    "unpinned": "the data is not the pinned stream's",
    "dirty": "clbench had uncommitted changes",
    "dirty-unknown": "git could not be asked whether clbench had uncommitted changes",
    "marks-unknown": "what the strategy said of itself at the end could not be recorded",
    "leak": "uses labels that the protocol hides, for parity with a published leak",
    "known-density": "was told how many labels an image of the whole data set has",
    "random-text": "vectors of text drawn by the labels' names, which know no language",
    "legacy-float32": "sums in float32, as a release has them",
    "legacy-half": "halves probabilities that Bayes gives, as a release does",
    "custom-step": "replaces the shared training step",
    "trial": "a trial of a search, scored on validation images",
    "saw-coco": "the pretrained weights have seen COCO's labels",
    "unverified": "verification found something wrong",
    "mixed-code": "the seeds ran different versions of the strategy's file or of clbench",
}
"""What each mark beside a row means; the order in which marks are shown."""


PROTOCOLS = {
    1: "test images are ranked by probabilities in float32, where large logits tie",
    2: "test images are ranked before the sigmoid",
}
"""What tells a version of the protocol from the one before."""


def meaning(mark: str) -> str:
    """Return what a mark means; `world-N` says how many processes shared a run."""
    if mark.startswith("world-"):
        return f"trained by {mark.removeprefix('world-')} processes together, which may move a number's last digits"
    return MARKS.get(mark, "named by the strategy")


@dataclass(frozen=True)
class Stat:
    """A number over seeds: mean, sample standard deviation (ddof=1; NaN for a single seed) and the values."""

    mean: float
    std: float
    n: int
    values: tuple[float, ...]

    @property
    def low(self) -> float:
        """The lower end of the seed interval, mean - std; the mean itself for a single seed."""
        return self.mean - (0.0 if self.n < 2 else self.std)

    @property
    def high(self) -> float:
        """The upper end of the seed interval, mean + std; the mean itself for a single seed."""
        return self.mean + (0.0 if self.n < 2 else self.std)


def stat(values: Iterable[float | None]) -> Stat | None:
    """Return mean and spread, or None when any value is missing: a mean over fewer seeds than shown would mislead."""
    known = tuple(values)
    if not known or None in known:
        return None
    numbers = tuple(map(float, cast("tuple[float, ...]", known)))
    n = len(numbers)
    mean = math.fsum(numbers) / n
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in numbers) / (n - 1)) if n > 1 else math.nan
    return Stat(mean, std, n, numbers)


def required_marks(record: Record) -> set[str]:
    """Return the marks that follow from a record's other fields, whatever its `marks` say."""
    found = {
        "stand-in": record.scenario.stand_in,
        "local-scenario": record.scenario.local,
        "local-strategy": record.strategy.origin != "shipped",
        "dirty": record.code.dirty is True,
        "dirty-unknown": record.code.dirty is None,
    }
    return {mark for mark, holds in found.items() if holds}


@dataclass(frozen=True, eq=False)
class Row:
    """Records that agree in everything but their seed, ordered by seed; never empty."""

    records: tuple[Record, ...]
    reference: bool = False
    """Whether clbench ships these records, so that they are nobody's own runs."""

    @property
    def first(self) -> Record:
        """The record of the smallest seed, for what all of them share."""
        return self.records[0]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, ascending."""
        return tuple(record.seed for record in self.records)

    @property
    def units(self) -> tuple[tuple[Record, ...], ...]:
        """The records over which means and spreads are taken, each by itself."""
        return tuple((record,) for record in self.records)

    @property
    def orders(self) -> tuple[str, ...]:
        """The names of the class orders that the records ran in."""
        return tuple(dict.fromkeys(map(shown_order, self.records)))

    @cached_property
    def marks(self) -> tuple[str, ...]:
        """Every mark that any of the records carries or must carry, and `mixed-code`."""
        marks = {mark for record in self.records for mark in (*record.marks, *required_marks(record))}
        if len({(record.strategy.sha256, record.clbench) for record in self.records}) > 1:
            marks.add("mixed-code")
        known = list(MARKS)
        return tuple(sorted(marks, key=lambda mark: (known.index(mark) if mark in known else len(known), mark)))

    def stat(self, name: str) -> Stat | None:
        """Return the summary number `name` over the seeds, or None when a record lacks it."""
        return stat(record.summary.get(name) for record in self.records)

    def over(self, read: Callable[[Record], float | None]) -> Stat | None:
        """Return any number that `read` takes from a record, over the seeds."""
        return stat(read(record) for record in self.records)


def group_rows(records: Iterable[Record]) -> list[Row]:
    """Group records into rows, in order of first appearance; a record met twice counts once.

    Raises ResultsError when one seed of a configuration has two different records.
    """
    groups: dict[tuple[object, ...], dict[int, Record]] = {}
    for record in records:
        seeds = groups.setdefault(identity(record), {})
        other = seeds.setdefault(record.seed, record)
        if other is not record and other.content != record.content:
            raise ResultsError(
                f"{record.scenario.name}: {record.strategy.name}: seed {record.seed} of configuration"
                f" {record.configuration[:8]} has two records with different content.",
                hint="Keep one of them, or find out which ingredient differs: clbench report diff",
            )
    return [Row(tuple(seeds[seed] for seed in sorted(seeds))) for seeds in groups.values()]


def identity(record: Record) -> tuple[object, ...]:
    """Return what the records of one row share: what was asked and shown, configuration and weights."""
    return (*_asked(record), *_shown(record, static=False), record.configuration, published_weights(record))


def published_weights(record: Record) -> object:
    """Return the digest of tensors that a configuration calls by the name of what is published, or made here."""
    named = record.train.get("weights") in ("hub", "stand-in")
    return record.environment.get("weights_tensors") if named else None


def comparable_groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Split rows into groups within which all may be compared, in order of first appearance.

    A static row (the whole stream as one session, as joint training has it) belongs to every group of its scenario and
    data; it forms a group of its own where there is no other.
    """
    groups: list[list[Row]] = []
    for row in sorted(rows, key=lambda row: is_static(row.first)):
        fitting = [group for group in groups if not why_not(group[0], row)]
        for group in fitting:
            group.append(row)
        if not fitting:
            groups.append([row])
    return groups


def why_not(a: Record | Row, b: Record | Row) -> str:
    """Return why two rows may not be compared, as the end of a sentence; empty when they may.

    Seeds and configurations may differ; what was asked (the scenario), what was shown (the stream) and how numbers
    come about (the protocol version) may not.
    """
    left, right = (item.first if isinstance(item, Row) else item for item in (a, b))
    orders = [_records(item) for item in (a, b)]
    if len({tuple(dict.fromkeys(map(order_of, records))) for records in orders}) > 1:
        names = [", ".join(dict.fromkeys(map(shown_order, records))) for records in orders]
        return f"the class orders differ ({names[0]} against {names[1]})"
    if adds_the_past(left, right) or adds_the_past(right, left):
        return ""
    told = [*_asked(left), *_shown(left, static=is_static(left) != is_static(right))]
    other = [*_asked(right), *_shown(right, static=is_static(left) != is_static(right))]
    for (name, x), (_, y) in zip(told, other, strict=True):
        if x != y and UNSET not in (x, y):  # an older record does not know
            shown = [str(value)[:12] if isinstance(value, str) and len(value) == 64 else str(value) for value in (x, y)]
            return f"{name} differs ({shown[0]} against {shown[1]})"
    return ""


def _records(item: Record | Row) -> tuple[Record, ...]:
    return item.records if isinstance(item, Row) else (item,)


def adds_the_past(record: Record, plain: Record) -> bool:
    """Return whether a run saw the stream of `plain` with the images of all earlier sessions in each session.

    What was asked, the data, labels and test sets are the same; each session has at least its own images and at most
    those before besides.
    """
    if _asked(record) != _asked(plain) or record.scenario.data.digest != plain.scenario.data.digest:
        return False
    more, own = record.scenario.sessions, plain.scenario.sessions
    if [(s.labels, s.test_images) for s in more] != [(s.labels, s.test_images) for s in own] or len(own) < 2:
        return False
    images, before = [session.train_images for session in more], [session.train_images for session in own]
    grown = all(max(a, x) <= b <= a + x for a, b, x in zip(images, images[1:], before[1:], strict=False))
    return images[0] == before[0] and images[-1] > before[-1] and grown


def is_static(record: Record) -> bool:
    """Return whether the run saw everything in one session."""
    return len(record.scenario.sessions) == 1


def _asked(record: Record) -> list[tuple[str, object]]:
    scenario = record.scenario
    return [
        ("the scenario", scenario.name),
        ("the scenario's version", scenario.version),
        ("the data", f"{scenario.dataset}, standing in" if scenario.stand_in else scenario.dataset),
        ("the scenario's digest", scenario.digest),
        ("the digest of the photos", scenario.data.photos),
        ("the protocol version", record.protocol),
    ]


def _shown(record: Record, *, static: bool) -> list[tuple[str, object]]:
    """What the stream was; a static run has another stream by design, so there the data alone must agree."""
    scenario = record.scenario
    if static:
        return [("the digest of the data", scenario.data.digest)]
    return [
        ("the digest of the images shown", scenario.stream.images),
        ("the digest of the labels shown", scenario.stream.labels),
    ]
