"""In which order labels arrive, and how they are dealt to sessions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from clbench.data.table import LabelTable
from clbench.errors import UsageError, suggest
from clbench.spec.orders import sorted_labels
from clbench.spec.scenario import LabelsSpec


def arrival(table: LabelTable, labels: LabelsSpec, *, source: str) -> tuple[tuple[str, ...], ...]:
    """Return the new labels of every session, in arrival order.

    `source` names the scenario in messages. Raises UsageError for a label the table does not have or that is named
    twice, an unknown order, a session without labels, and sizes that do not fit the number of labels.
    """
    if labels.sessions:
        sessions = tuple(tuple(names) for names in labels.sessions)
        for index, names in enumerate(sessions):
            if not names:
                raise UsageError(
                    f"{source}: labels.sessions: session {index} has no labels.",
                    hint="Remove the empty list, or name the labels that arrive in it.",
                )
        _check(table, list(chain(*sessions)), field="labels.sessions", source=source)
        if labels.base or labels.increment or labels.subset or labels.order != "alphabetical":
            raise UsageError(
                f"{source}: labels.sessions replaces `order`, `subset`, `base` and `increment`, but one is given.",
                hint="Keep either the written-out sessions or the other fields.",
            )
        return sessions
    names = ordered(table, labels, source=source)
    starts = _starts(len(names), labels, source=source)
    return tuple(names[start:stop] for start, stop in zip(starts, [*starts[1:], len(names)], strict=True))


def ordered(table: LabelTable, labels: LabelsSpec, *, source: str) -> tuple[str, ...]:
    """Return the labels that take part, in arrival order.

    `alphabetical` compares code points; `frequency` counts the positive train images, most frequent first and ties by
    name; `shuffle:SEED` sorts by a hash of seed and label, which no library's version changes. Raises UsageError as
    `arrival` does.
    """
    _check(table, labels.subset, field="labels.subset", source=source)
    chosen = set(labels.subset or table.labels)
    order = labels.order
    if not isinstance(order, str):
        _check(table, order, field="labels.order", source=source)
        if set(order) != chosen:
            missing, more = sorted(chosen - set(order)), sorted(set(order) - chosen)
            problem = f"leaves out {missing[0]!r}" if missing else f"names {more[0]!r}, which labels.subset leaves out"
            raise UsageError(
                f"{source}: labels.order {problem}.",
                hint="Where only some labels take part, name the same ones in `labels.subset`.",
            )
        return tuple(order)
    if order == "official":
        return tuple(label for label in table.labels if label in chosen)
    if order == "frequency":
        counts = table.positives("train").tolist()
        positives = dict(zip(table.labels, counts, strict=True))
        return tuple(sorted(chosen, key=lambda label: (-positives[label], label)))
    try:
        found = sorted_labels(list(chosen), order)
    except UsageError as error:
        hint = "Write alphabetical, official, frequency, shuffle:SEED or the list of labels."
        raise UsageError(f"{source}: labels.order: {error.message}", hint=hint) from error
    assert found is not None  # the two that need the data set stand above
    return found


def _starts(count: int, labels: LabelsSpec, *, source: str) -> list[int]:
    base, step = labels.base, labels.increment
    if base > count or step > count:
        name, value = ("base", base) if base > count else ("increment", step)
        raise UsageError(
            f"{source}: labels.{name}: {value} labels are asked for, but only {count} take part.",
            hint=f"Write at most {count}.",
        )
    if step == 0:
        if base not in (0, count):
            raise UsageError(
                f"{source}: labels.increment: missing, so {count - base} of {count} labels would never arrive.",
                hint="Give `increment`, or leave `base` out for one session with all labels.",
            )
        return [0]
    base = base or step
    if (count - base) % step:
        fits = [size for size in range(1, count - base + 1) if (count - base) % size == 0]
        raise UsageError(
            f"{source}: labels.increment: {step} does not divide the {count - base} labels after the first session.",
            hint=f"Sizes that do: {', '.join(map(str, fits))}. Or write the sessions out under `labels.sessions`.",
        )
    return [0, *range(base, count, step)]


def _check(table: LabelTable, names: Sequence[str], *, field: str, source: str) -> None:
    known, seen = set(table.labels), set[str]()
    for name in names:
        if name not in known:
            raise UsageError(
                f"{source}: {field}: {table.name} has no label {name!r}.{suggest(name, table.labels)}",
                hint=f"It has {len(table.labels)} labels, from {table.labels[0]!r} to {table.labels[-1]!r}.",
            )
        if name in seen:
            raise UsageError(f"{source}: {field}: {name!r} is named twice.", hint="Every label arrives once.")
        seen.add(name)
