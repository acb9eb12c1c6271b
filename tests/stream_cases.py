"""Small scenarios and tables for the tests of streams."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from clbench.data.table import LabelTable, from_arrays
from clbench.spec.scenario import LabelsSpec, ScenarioSpec


def scenario(*, labels: LabelsSpec | None = None, **fields: Any) -> ScenarioSpec:
    return ScenarioSpec(
        name="toy", version=1, title="A toy", dataset="toy", labels=labels or LabelsSpec(increment=2), **fields
    )


def table(
    labels: str, train: dict[str, str], test: dict[str, str], *, pool: dict[str, str] | None = None
) -> LabelTable:
    """A table from "a b" labels and {id: "a b"} positives; `pool` adds members without a positive, `?a` is unknown."""
    names = labels.split()
    images = {**train, **test}
    y = np.zeros((len(images), len(names)), dtype=np.int8)
    member = np.zeros(y.shape, dtype=np.bool_)
    for row, (name, marks) in enumerate(images.items()):
        for mark in marks.split():
            y[row, names.index(mark.lstrip("?"))] = -1 if mark.startswith("?") else 1
        for mark in (pool or {}).get(name, "").split():
            member[row, names.index(mark)] = True
    return from_arrays(
        "toy",
        labels=names,
        y=y,
        ids=list(images),
        member=member | (y == 1),
        split=["train"] * len(train) + ["test"] * len(test),
    )


def shuffled(table: LabelTable, order: Any) -> LabelTable:
    return LabelTable(
        name=table.name,
        revision=table.revision,
        labels=table.labels,
        ids=table.ids[order],
        paths=table.paths[order],
        y=table.y[order],
        member=table.member[order],
        split=table.split[order],
    )


@st.composite
def tables(draw: st.DrawFn, *, labels: int = 6) -> LabelTable:
    """Tables of up to 40 images in which every label has a positive on both sides, with unknowns and extra members."""
    n = draw(st.integers(2, 20))
    values = st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=labels, max_size=labels)
    y = np.array(draw(st.lists(values, min_size=2 * n, max_size=2 * n)), dtype=np.int8)
    y[0] = y[n] = 1
    extra = draw(st.integers(0, 2**16))
    member = (y == 1) | (np.random.default_rng(extra).random(y.shape) < 0.05)
    ids = draw(st.lists(st.text("aé09-", min_size=1, max_size=9), min_size=2 * n, max_size=2 * n, unique=True))
    names = draw(st.permutations([f"label {i}" for i in range(labels)]))
    paths = [f"{i}.jpg" for i in range(2 * n)]
    split = ["train"] * n + ["test"] * n
    return from_arrays("toy", labels=names, y=y, ids=ids, paths=paths, member=member, split=split)


splits = st.sampled_from(
    [LabelsSpec(increment=2), LabelsSpec(base=4, increment=1), LabelsSpec(base=3, increment=3), LabelsSpec()]
)
