"""The lines of one table: numbers over seeds, ranks, the best in bold, what sets a configuration apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from clbench.records.record import Record
from clbench.records.rows import Row, Stat, adds_the_past, is_static
from clbench.records.verify.findings import LEVELS
from clbench.report.table.beside_printed import beside
from clbench.report.table.columns import Column, Measured
from clbench.report.table.model import Cell, TableRow
from clbench.report.table.pretraining_tracks import saw_coco, track
from clbench.report.table.published import Printed
from clbench.report.table.ranking import order, ranks
from clbench.report.table.references import bound_of

Stats = Mapping[str, Stat | None]

UNVERIFIED = " (unverified)"
"""What follows the name of a row that no rank and no mark tells apart."""


def table_rows(
    group: Sequence[Row],
    *,
    by: Column,
    known: Mapping[str, Column],
    trust: Mapping[str, str],
    digits: int,
    printed: Sequence[Printed] = (),
    measured: Measured | None = None,
    plain: Collection[str] = (),
) -> list[TableRow]:
    """Return comparable rows as lines, best first by the column `by`; see `tables.leaderboard` for the rest.

    `plain` are keys of columns of which nothing is set in bold.
    """
    bounds = upper_bounds(group)
    wrong = [any(trust.get(record.content) == LEVELS[0] for record in row.records) for row in group]
    believed = [row for row, is_wrong in zip(group, wrong, strict=True) if row in bounds and not is_wrong]
    stats = [_stats(row, known, bounds=bounds, joint=believed) | _measured(row, measured or {}) for row in group]
    placed = order([stat[by.key] for stat in stats], higher_is_better=by.higher_is_better)
    placed.sort(key=lambda place: wrong[place])  # found to be wrong: below, no rank, never the best
    competing = [place for place in placed if group[place] not in bounds and not wrong[place]]
    ranked = dict(zip(competing, ranks([stats[place][by.key] for place in competing]), strict=True))
    bold = {key: column for key, column in known.items() if key not in plain}
    best = _best(bold, [stats[place] for place in competing], digits)
    common, again = common_recipe(group), _trained_again(group)
    met = _photos_met(group, again)
    lines = []
    for place in placed:
        row, level = group[place], trust_of(group[place], trust)
        lines.append(
            TableRow(
                rank=ranked.get(place),
                strategy=row.first.strategy.name,
                title=row.first.strategy.title,
                head=row.first.strategy.head,
                changed=changed_values(row, common),
                seeds=list(row.seeds),
                cells={
                    key: _cell(stat, known[key], best if place in ranked else set(), digits)
                    for key, stat in stats[place].items()
                },
                marks=_marks(row, bound=row in bounds, level=level, everything=_keeps_all(row, again, met)),
                track=track_name(row),
                trust=level,
                configuration=row.first.configuration,
                runs=len(row.records),
                printed=beside(row, printed) or UNSET,
            )
        )
    return lines


def upper_bounds(group: Sequence[Row]) -> list[Row]:
    """Return the rows that saw everything at once where the others did not: bounds for them, no competitors."""
    several = any(not is_static(row.first) for row in group)
    return [row for row in group if is_static(row.first) and (several or row.first.strategy.name == "joint")]


def track_name(row: Row) -> str:
    """Return the pretraining track that a row is ranked in."""
    recorded = str(row.first.environment.get("pretraining") or "")
    return track(row.first.train, recorded=recorded) + (" (saw COCO)" if _saw_coco(row) else "")


def trust_of(row: Row, trust: Mapping[str, str]) -> str:
    """Return the lowest level that verification gave to the row's records."""
    return min((trust.get(record.content, LEVELS[0]) for record in row.records), key=LEVELS.index)


def _stats(
    row: Row, known: Mapping[str, Column], *, bounds: Sequence[Row], joint: Sequence[Row]
) -> dict[str, Stat | None]:
    gap = None if row in bounds else _gap(row, joint)
    return {key: row.over(column.read) for key, column in known.items()} | {"gap": gap}


def _measured(row: Row, measured: Measured) -> dict[str, Stat | None]:
    return {key: row.over(_reader(values)) for key, values in measured.items()}


def _reader(values: Mapping[str, float]) -> Callable[[Record], float | None]:
    return lambda record: values.get(record.content)


def _gap(row: Row, bounds: Sequence[Row]) -> Stat | None:
    """Return last mAP minus that of joint training with the recipe of `row`."""
    from clbench.metrics.continual import gap

    bound = bound_of(row, bounds)
    joint = None if bound is None else bound.stat("last_map")
    if joint is None:
        return None
    return row.over(lambda record: None if (last := record.summary["last_map"]) is None else gap(last, joint.mean))


def _best(known: Mapping[str, Column], stats: Sequence[Stats], digits: int) -> set[tuple[str, str]]:
    """Return (column, best value as printed): values that print alike are best together."""
    found = set()
    for key, column in known.items():
        present = [stat.mean for row in stats if (stat := row[key]) is not None]
        if column.competes and len(present) > 1:
            top = max(present) if column.higher_is_better else min(present)
            found.add((key, column.text(top, digits=digits)))
    return found


def _cell(stat: Stat | None, column: Column, best: set[tuple[str, str]], digits: int) -> Cell:
    if stat is None:
        return Cell(None, None)
    is_best = (column.key, column.text(stat.mean, digits=digits)) in best
    return Cell(stat.mean, stat.std if stat.n > 1 and column.spread else None, is_best)


def common_recipe(group: Sequence[Row]) -> dict[str, Any]:
    """Return the scenario's recipe value, per name; where every row changed the recipe, the one that most share.

    A row without the mark `changed-train` ran with the scenario's own recipe.
    """
    group = [row for row in group if "changed-train" not in row.marks] or group
    common = {}
    for name in dict.fromkeys(name for row in group for name in row.first.train):
        values = [row.first.train.get(name) for row in group]
        common[name] = max(values, key=values.count)
    return common


def changed_values(row: Row, common: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row changes: its strategy's fields but the head, and where its recipe differs from `common`."""
    own = {name: value for name, value in row.first.strategy.changed.items() if name != "head"}
    train = row.first.train
    return own | {f"train.{name}": train.get(name) for name in common if train.get(name) != common[name]}


def changed_texts(row: Row, common: Mapping[str, Any]) -> list[str]:
    """Return what a row changes as names of methods tell it: options one by one, without the braces of a mapping.

    A recipe's value has no `train.` before it.
    """
    return [text for key, value in changed_values(row, common).items() for text in _told(key, value)]


def _told(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for name, inner in value.items() for text in _told(str(name), inner)]
    told = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    return [f"{key.removeprefix('train.')}={told}"]


def _trained_again(group: Sequence[Row]) -> list[Row]:
    """Return the rows that train on all earlier sessions' images again, which another row of the group does not."""
    streams = {tuple(session.train_images for session in row.first.scenario.sessions): row.first for row in group}
    if len(streams) == 1:
        return []
    return [row for row in group if any(adds_the_past(row.first, plain) for plain in streams.values())]


def is_unverified(row: Row, trust: Mapping[str, str]) -> bool:
    """Return whether `trust`, level by content digest, says that verification found something wrong with a record."""
    return any(trust.get(record.content) == LEVELS[0] for record in row.records)


def _photos_met(group: Sequence[Row], again: Sequence[Row]) -> int:
    """Return how many photos a whole stream shows, as rows tell it that see all of them in one session; 0: unknown."""
    whole = [row.first for row in group if is_static(row.first) or row in again]
    return max((record.scenario.sessions[-1].train_images for record in whole), default=0)


def _keeps_all(row: Row, again: Sequence[Row], met: int) -> bool:
    """Return whether a row keeps every photo: in a memory without a limit that counts, or by training on all again."""
    if is_static(row.first):
        return False
    stored = max(cost.stored_images for cost in row.first.costs)
    met = met or sum(session.train_images for session in row.first.scenario.sessions)
    return row in again or stored >= met > 0


def _marks(row: Row, *, bound: bool, level: str, everything: bool) -> list[str]:
    extra = ["all-photos"] * everything + ["saw-coco"] * _saw_coco(row) + ["unverified"] * (level == LEVELS[0])
    return ["upper-bound"] * bound + list(dict.fromkeys([*row.marks, *extra]))


def _saw_coco(row: Row) -> bool:
    return "saw-coco" in row.marks or saw_coco(row.first.train)
