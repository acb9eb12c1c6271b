"""What every metric asks of its input, and what it says when the input is something else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError

Floats = npt.NDArray[np.floating[Any]]
Targets = npt.NDArray[np.int8]


def checked(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Targets]:
    """Return scores as float32 or float64 and targets as int8, both of one shape, or raise.

    Half-precision scores become float32 (exact), integers float64. Scores may be infinite.
    DataError: the shapes differ, a score is NaN, a target is none of 1 (positive), 0 (negative), -1 (unknown).
    """
    s, t = _floats(np.asarray(scores)), np.asarray(targets)
    if s.shape != t.shape:
        raise DataError(
            f"scores have shape {s.shape}, targets have shape {t.shape}; one target per score is needed",
            hint="Pass the targets of exactly the rows and labels that were scored.",
        )
    # the largest entry of an array that holds a NaN is NaN: one read, no array of flags
    if s.size and np.isnan(s.max()):
        raise DataError(
            f"the score at {_first(np.isnan(s))} is NaN; a ranking needs numbers (infinities are allowed)",
            hint="The model produced NaN: look at the loss and the learning rate of the session that was evaluated.",
        )
    return s, _int8(t)


def checked_matrix(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Targets]:
    """Return `checked` scores and targets that are rows by labels, [N, K] with K of at least 1, or raise DataError."""
    s, t = checked(scores, targets)
    if s.ndim != 2 or s.shape[1] == 0:
        raise DataError(
            f"scores have shape {s.shape}; rows by labels, [N, K], were expected",
            hint="Put one image per row and one label per column.",
        )
    return s, t


def _floats(scores: npt.NDArray[Any]) -> Floats:
    if scores.dtype in (np.float32, np.float64):
        return scores
    if scores.dtype == np.float16:
        return scores.astype(np.float32)
    if scores.dtype.kind in "fiub":
        return scores.astype(np.float64)
    raise DataError(f"scores are of type {scores.dtype}; real numbers were expected", hint="Pass a float32 array.")


def _int8(targets: npt.NDArray[Any]) -> Targets:
    if targets.dtype == np.bool_:
        return targets.view(np.int8)
    if targets.size == 0:
        return targets.astype(np.int8)
    if targets.dtype.kind not in "iu" or targets.min() < -1 or targets.max() > 1:
        wrong = ~np.isin(targets, (-1, 0, 1))
        if wrong.any():
            value = targets[wrong].flat[0]
            raise DataError(
                f"the target at {_first(wrong)} is {value}; expected 1 (positive), 0 (negative) or -1 (unknown)",
                hint="Write unknown labels as -1.",
            )
    return targets.astype(np.int8, copy=False)


def _first(flags: npt.NDArray[np.bool_]) -> str:
    return str(tuple(int(i) for i in np.argwhere(flags)[0])) if flags.ndim else "()"


def defined_mean(values: npt.ArrayLike) -> float:
    """Return the mean of the entries that are not NaN, or NaN if there is none.

    The sum is exact before its one rounding (math.fsum), so that a permutation of the labels cannot move the last bit.
    `values` are of any shape.
    """
    v = np.asarray(values, dtype=np.float64).ravel()
    v = v[~np.isnan(v)]
    return math.fsum(v.tolist()) / v.size if v.size else math.nan
