"""The summary of a run: every headline number, recomputed from AP matrices and counts alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.continual import Matrix, average_map, bwt, forgetting, last_map, matrix_of
from clbench.metrics.f1 import FROM_COUNTS, Counts


class CountTables(Protocol):
    """Counts of every session: tp, fp and fn are each [S, K], None or NaN for a label not learned yet."""

    @property
    def tp(self) -> npt.ArrayLike:
        """True positives."""

    @property
    def fp(self) -> npt.ArrayLike:
        """False positives."""

    @property
    def fn(self) -> npt.ArrayLike:
        """False negatives."""


def summarize(
    ap_growing: npt.ArrayLike,
    ap_fixed: npt.ArrayLike,
    counts: Mapping[str, CountTables | Mapping[str, npt.ArrayLike]],
    learned: npt.ArrayLike,
) -> dict[str, float | None]:
    """Return the summary of a run, as fractions; None where a number is undefined.

    ap_growing and ap_fixed [S, K]: AP after each session on the growing and on the fixed test set, NaN or None where
    a label was not learned yet or has no AP. counts: decision rule ("0.5", "0.8", "top3") -> tp, fp, fn [S, K].
    learned [K]: the session that introduced each label. Forgetting and bwt are taken on the fixed test set, whose
    images are the same after every session; the figures from counts ("of1@0.5") are those of the last session.
    A pure function, the same in every process: no order of the labels changes a bit. DataError: shapes that differ,
    values before a label was learned, counts that are no counts.

    >>> A = [[0.8, None], [0.5, 0.7]]
    >>> table = {"tp": [[1, None], [1, 2]], "fp": [[0, None], [3, 0]], "fn": [[0, None], [0, 2]]}
    >>> found = metrics.summarize(A, A, {"0.5": table}, learned=[0, 1])
    >>> [round(found[name], 4) for name in ("average_map", "last_map", "forgetting", "of1@0.5")]
    [0.7, 0.6, 0.3, 0.5455]
    """
    growing, fixed = _strict(ap_growing, learned, "growing"), _strict(ap_fixed, learned, "fixed")
    if growing.shape != fixed.shape:
        raise DataError(
            f"the AP matrices of the growing and of the fixed test set differ in shape: {growing.shape}, {fixed.shape}",
            hint="Evaluate both test sets after every session.",
        )
    values = {
        "average_map": average_map(growing),
        "last_map": last_map(growing),
        "average_map_fixed": average_map(fixed),
        "last_map_fixed": last_map(fixed),
        "forgetting": forgetting(fixed, learned),
        "bwt": bwt(fixed, learned),
    }
    for rule, tables in counts.items():
        last = _last(tables, rule, growing.shape)
        values |= {f"{name}@{rule}": figure(last) for name, figure in FROM_COUNTS.items()}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def _strict(A: npt.ArrayLike, learned: npt.ArrayLike, test_set: str) -> Matrix:
    matrix, since = matrix_of(A), np.asarray(learned)
    early = ~np.isnan(matrix) & (np.arange(len(matrix))[:, None] < since) if since.shape == matrix.shape[1:] else None
    if early is not None and early.any():
        session, label = np.argwhere(early)[0]
        raise DataError(
            f"the AP matrix of the {test_set} test set has {matrix[session, label]} for label {label} after session "
            f"{session}, but that label is learned in session {since[label]}",
            hint="Leave the AP of a label empty (null) until the session that introduces it.",
        )
    return matrix


def _last(tables: CountTables | Mapping[str, npt.ArrayLike], rule: str, shape: tuple[int, ...]) -> Counts:
    """Return the counts of the last session, over the labels learned by then."""
    rows = {}
    for name in ("tp", "fp", "fn"):
        table = matrix_of(tables[name] if isinstance(tables, Mapping) else getattr(tables, name))
        if table.shape != shape:
            raise DataError(
                f"counts[{rule!r}].{name} has shape {table.shape}; the AP matrices have {shape}",
                hint="Give one row of counts per session and one column per label.",
            )
        rows[name] = table[-1]
    given = {name: ~np.isnan(row) for name, row in rows.items()}
    present = given["tp"]
    for name, row in rows.items():
        if (given[name] != present).any() or (row[present] < 0).any() or (row[present] % 1 != 0).any():
            raise DataError(
                f"counts[{rule!r}].{name} of the last session are no counts for the labels that have a tp: {row}",
                hint="Give tp, fp and fn as whole numbers for every learned label, null for the others.",
            )
    return Counts(**{name: row[present].astype(np.int64) for name, row in rows.items()})
