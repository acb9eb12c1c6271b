"""Numbers over sessions, all of them derived from a matrix of average precisions.

A [S, K]: row s holds the AP of every label after session s, NaN where the label has not been learned yet or has no
AP. learned [K]: the index of the session that introduced each label. Entries of a label before the session that
introduced it are never used where `learned` is given. The unit of the results is the unit of A.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError, UsageError
from clbench.metrics.inputs import defined_mean

Matrix = npt.NDArray[np.float64]
Sessions = npt.NDArray[np.int64]


class Groups(NamedTuple):
    """mAP after each session [S] over the labels of the first session, of the current one, and of all so far."""

    base: Matrix
    new: Matrix
    seen: Matrix


def matrix_of(A: npt.ArrayLike) -> Matrix:
    """Return a float64 copy [S, K] of nested lists or an array, None as NaN, or raise DataError."""
    try:
        matrix = np.array(A, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the table is not a matrix of numbers: {error}",
            hint="Give one row per session, all of one length, with null where there is no value.",
        ) from error
    if matrix.ndim != 2 or not matrix.size:
        raise DataError(
            f"the table has shape {matrix.shape}; sessions by labels, [S, K], were expected",
            hint="Give one row per session and one column per label, null for labels not learned yet.",
        )
    return matrix


def session_maps(A: npt.ArrayLike) -> Matrix:
    """Return mAP after each session [S]: the mean over the labels with an AP, NaN for a session without any.

    >>> metrics.session_maps([[0.8, None], [0.5, 0.9], [0.6, 0.7]]).round(4).tolist()
    [0.8, 0.7, 0.65]
    """
    return np.array([defined_mean(row) for row in matrix_of(A)])


def average_map(A: npt.ArrayLike) -> float:
    """Return the mean of `session_maps` over all sessions, the first included. A is [S, K].

    >>> round(metrics.average_map([[0.8, None], [0.5, 0.9], [0.6, 0.7]]), 4)  # (0.8 + 0.7 + 0.65) / 3
    0.7167
    """
    return defined_mean(session_maps(A))


def last_map(A: npt.ArrayLike) -> float:
    """Return mAP after the last session. A is [S, K].

    >>> round(metrics.last_map([[0.8, None], [0.5, 0.9], [0.6, 0.7]]), 4)
    0.65
    """
    return defined_mean(matrix_of(A)[-1])


def group_maps(A: npt.ArrayLike, learned: npt.ArrayLike) -> Groups:
    """Return mAP after each session over base, new and seen labels, the three figures KRT prints.

    The groups are columns of one matrix, so the test images are the same for all three; KRT scores base and new
    labels on the images that hold one of them, which fewer negatives make easier (`clbench.metrics.krt_maps`).
    A is [S, K], learned [K].

    >>> groups = metrics.group_maps([[0.8, None], [0.5, 0.9]], learned=[0, 1])
    >>> groups.base.tolist(), groups.new.tolist(), groups.seen.tolist()
    ([0.8, 0.5], [0.8, 0.9], [0.8, 0.7])
    """
    matrix, since = _known(A, learned)
    sessions = np.arange(len(matrix))[:, None]
    return Groups(
        base=session_maps(np.where(since == 0, matrix, np.nan)),
        new=session_maps(np.where(since == sessions, matrix, np.nan)),
        seen=session_maps(matrix),
    )


def forgetting(A: npt.ArrayLike, learned: npt.ArrayLike) -> float:
    """Return forgetting: the mean of `forgetting_per_label`, NaN if there is a single session.

    The forgetting measure of Chaudhry et al., "Riemannian Walk for Incremental Learning" (ECCV 2018), per label
    instead of per task.

    >>> round(metrics.forgetting([[0.8, None], [0.5, 0.9], [0.6, 0.8]], learned=[0, 1]), 4)  # (0.2 + 0.1) / 2
    0.15
    """
    return defined_mean(forgetting_per_label(A, learned))


def forgetting_per_label(A: npt.ArrayLike, learned: npt.ArrayLike) -> Matrix:
    """Return, for every label [K], its best AP after an earlier session minus its AP after the last one.

    Earlier sessions run from the one that introduced the label to the last but one, so a label that got better has
    negative forgetting. NaN for labels of the last session, and where either AP is undefined.

    >>> A = [[0.8, None, None], [0.5, 0.7, None], [0.6, 0.8, 0.9]]
    >>> metrics.forgetting_per_label(A, learned=[0, 1, 2]).round(4).tolist()  # the second label got better
    [0.2, -0.1, nan]
    """
    return _forgotten(*_known(A, learned))


def forgetting_per_session(A: npt.ArrayLike, learned: npt.ArrayLike) -> Matrix:
    """Return the curve [S] whose entry s is `forgetting` as if session s had been the last; entry 0 is NaN.

    >>> A = [[0.8, None], [0.5, 0.9], [0.6, 0.8]]
    >>> metrics.forgetting_per_session(A, learned=[0, 1]).round(4).tolist()
    [nan, 0.3, 0.15]
    """
    matrix, since = _known(A, learned)
    return np.array([defined_mean(_forgotten(matrix[: s + 1], since)) for s in range(len(matrix))])


def bwt(A: npt.ArrayLike, learned: npt.ArrayLike) -> float:
    """Return backward transfer: the mean of `bwt_per_label`, NaN if there is a single session.

    Lopez-Paz and Ranzato, "Gradient Episodic Memory for Continual Learning" (NeurIPS 2017), section 2, per label
    instead of per task.

    >>> round(metrics.bwt([[0.8, None], [0.5, 0.7], [0.6, 0.8]], learned=[0, 1]), 4)  # (-0.2 + 0.1) / 2
    -0.05
    """
    return defined_mean(bwt_per_label(A, learned))


def bwt_per_label(A: npt.ArrayLike, learned: npt.ArrayLike) -> Matrix:
    """Return, for every label [K], its AP after the last session minus its AP right after it was learned.

    NaN for labels of the last session, and where either AP is undefined.

    >>> metrics.bwt_per_label([[0.8, None], [0.5, 0.7], [0.6, 0.8]], learned=[0, 1]).round(4).tolist()
    [-0.2, 0.1]
    """
    matrix, since = _known(A, learned)
    earlier = since < len(matrix) - 1
    first = matrix[np.where(earlier, since, 0), np.arange(matrix.shape[1])]
    return np.where(earlier, matrix[-1] - first, np.nan)


def gap(last: float, joint_last: float) -> float:
    """Return last mAP minus the last mAP of joint training: below 0 while learning in sessions costs something.

    >>> metrics.gap(0.5, 0.75)
    -0.25
    """
    return last - joint_last


def task_maps(A: npt.ArrayLike, learned: npt.ArrayLike, *, labels: Literal["own", "seen"] = "own") -> Matrix:
    """Return R [S, S]: R[t, i] is the mAP after session t over the labels of session i, NaN for t < i.

    With labels="seen" it is the mAP over all labels learned up to session i. Raises UsageError for another `labels`.

    >>> metrics.task_maps([[0.8, None, None], [0.5, 0.7, 0.9]], learned=[0, 1, 1]).round(4).tolist()
    [[0.8, nan], [0.5, 0.8]]
    """
    matrix, since = _known(A, learned)
    if labels not in ("own", "seen"):
        raise UsageError(f"labels is {labels!r}; 'own' or 'seen' was expected", hint="Pass labels='own'.")
    R = np.full((len(matrix), len(matrix)), np.nan)
    for i in range(len(matrix)):
        of_task = matrix[i:, since == i if labels == "own" else since <= i]
        R[i:, i] = [defined_mean(row) for row in of_task]
    return R


def forgetting_relative_agcn(
    A: npt.ArrayLike, learned: npt.ArrayLike, *, labels: Literal["own", "seen"] = "own"
) -> float:
    """Return the relative drop of AGCN: the mean over sessions i but the last of (R[i, i] - R[last, i]) / R[i, i].

    Du et al., "AGCN: Augmented Graph Convolutional Network for Lifelong Multi-label Image Recognition" (ICME 2022). R
    as in `task_maps`; the released code evaluates task i on all labels up to i, which is labels="seen". Sessions with
    an R[i, i] of 0 are left out. NaN if there is a single session.

    >>> round(metrics.forgetting_relative_agcn([[0.8, None], [0.6, 0.9]], learned=[0, 1]), 4)  # (0.8 - 0.6) / 0.8
    0.25
    """
    R = task_maps(A, learned, labels=labels)
    first = np.diag(R)[:-1]
    return defined_mean((first - R[-1, :-1])[first != 0] / first[first != 0])


def forgetting_prs(A: npt.ArrayLike, learned: npt.ArrayLike) -> float:
    """Return the forgetting of PRS: the mean over sessions i but the last of (best - R[last, i]) / |best|.

    Kim et al., "Imbalanced Continual Learning with Partitioning Reservoir Sampling" (ECCV 2020) and its released
    code. R as in `task_maps`, best = the largest R[t, i] for i <= t < last. Where best is 0 the divisor is 1, and
    where both are 0 the value is 1 (never learned counts as all forgotten). NaN if there is a single session.

    >>> A = [[0.4, None], [0.8, 0.9], [0.6, 0.9]]
    >>> round(metrics.forgetting_prs(A, learned=[0, 1]), 4)  # ((0.8 - 0.6) / 0.8 + 0) / 2
    0.125
    """
    R = task_maps(A, learned)
    values = []
    for i in range(len(R) - 1):
        earlier, last = R[i:-1, i], R[-1, i]
        best = float(np.max(earlier[~np.isnan(earlier)], initial=-np.inf))
        if np.isfinite(best) and not np.isnan(last):
            values.append(1.0 if best == 0 == last else (best - last) / (abs(best) or 1.0))
    return defined_mean(values)


def _forgotten(matrix: Matrix, since: Sessions) -> Matrix:
    earlier = np.where(np.isnan(matrix[:-1]), -np.inf, matrix[:-1])
    best = np.max(earlier, axis=0, initial=-np.inf)
    return np.where(np.isfinite(best) & (since < len(matrix) - 1), best - matrix[-1], np.nan)


def _known(A: npt.ArrayLike, learned: npt.ArrayLike) -> tuple[Matrix, Sessions]:
    """Return A with NaN before each label was learned, and the sessions that introduced the labels."""
    matrix, since = matrix_of(A), np.asarray(learned)
    if since.shape != matrix.shape[1:] or since.dtype.kind not in "iu" or since.min() < 0:
        raise DataError(
            f"learned is {since.dtype} {since.shape}; one session index, 0 or more, was expected for each of the "
            f"{matrix.shape[1]} labels of the AP matrix",
            hint="Give the index of the session that introduced each label.",
        )
    matrix[np.arange(len(matrix))[:, None] < since] = np.nan
    return matrix, since.astype(np.int64)
