"""Streams whose images were published as lists of ids: which table rows they are."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.ids import by_id
from clbench.data.table import LabelTable
from clbench.errors import DataError
from clbench.spec.scenario import ScenarioSpec
from clbench.stream.published_lists import read_lists

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def listed_rows(
    table: LabelTable, spec: ScenarioSpec, *, sessions: int, folder: Path | None
) -> tuple[Rows, Mask, Rows, Mask]:
    """Return train rows, [session, image] joins, test rows, and which test images arrive with a session.

    `folder` holds the lists (None: where `clbench data get` puts them). An id that a list repeats counts once. Raises
    UsageError for lists that are not known, and DataError where a file is missing or an id is not in the table, is
    listed for two purposes, or a number of lists is not the number of sessions.
    """
    train, test = read_lists(spec.lists, source=spec.name, folder=folder)
    if len(train) != sessions:
        raise DataError(
            f"{spec.name}: {spec.lists} has lists for {len(train)} sessions, the labels make {sessions}.",
            hint="Each session needs one list of train images.",
        )
    place = {text: row for row, text in enumerate(table.ids.tolist())}
    for index, split, names in [
        (i, s, lists[i]) for i in range(sessions) for s, lists in (("train", train), ("test", test))
    ]:
        gone = sorted({text for text in names if text not in place})
        if gone:
            raise DataError(
                f"{spec.name}: session {index}: {len(gone):,} of {len(names):,} {split} images listed by {spec.lists} "
                f"are not in {table.name}, first {gone[0]!r}.",
                hint="The lists need the whole data set, under its official ids.",
            )
    both = sorted(set(chain(*train)) & set(chain(*test)))
    if both:
        raise DataError(f"{spec.name}: {spec.lists} lists image {both[0]!r} for training and for testing.")
    return (*_marked(table, train, place=place), *_marked(table, test, place=place))


def _marked(table: LabelTable, lists: list[list[str]], *, place: dict[str, int]) -> tuple[Rows, Mask]:
    """Return the rows of all lists together, sorted by id, and which lists each is on."""
    marks = np.zeros((len(lists), len(table)), dtype=np.bool_)
    for mark, names in zip(marks, lists, strict=True):
        mark[[place[text] for text in names]] = True
    rows = np.flatnonzero(marks.any(axis=0))
    rows = rows[by_id(table.ids[rows])]
    return rows, marks[:, rows]
