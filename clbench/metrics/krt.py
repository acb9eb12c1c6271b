"""Base, new and seen mAP on the test images that KRT's code takes for each, from the scores of one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError
from clbench.metrics.ap import average_precisions
from clbench.metrics.continual import Groups
from clbench.metrics.inputs import defined_mean


def krt_maps(
    scores: Sequence[npt.ArrayLike],
    truth: npt.ArrayLike,
    *,
    member: npt.ArrayLike,
    learned: npt.ArrayLike,
    ap: Callable[[npt.ArrayLike, npt.ArrayLike], npt.ArrayLike] = average_precisions,
) -> Groups:
    """Return mAP after each session [S] over base, new and seen labels, each on the images that hold one of them.

    KRT (Dong et al., ICCV 2023) scores three overlapping loaders after every epoch; a matrix per session holds them
    all. `scores` has one matrix per session, [N, K_s]: all test images, columns in arrival order; truth int8 [N, K] in
    {1, 0, -1}; member bool [N, K]: which images count as holding a label; learned [K]: the session that introduced it.
    `ap` is the rule: `ap_legacy_krt` gives what their code prints. NaN where a group has no label with an AP. Raises
    DataError for shapes that do not fit.

    >>> scores = [[[0.9], [0.1]], [[0.1, 0.2], [0.9, 0.8]]]
    >>> truth = np.array([[1, 0], [0, 1]])
    >>> groups = metrics.krt_maps(scores, truth, member=truth == 1, learned=[0, 1])
    >>> groups.base.tolist(), groups.seen.tolist()  # the one image with the base label, then both images
    ([1.0, 1.0], [1.0, 0.75])
    """
    t, held, since = np.asarray(truth), np.asarray(member, dtype=np.bool_), np.asarray(learned)
    if t.ndim != 2 or held.shape != t.shape or since.shape != t.shape[1:]:
        raise DataError(
            f"truth has shape {t.shape}, member {held.shape}, learned {since.shape}; [N, K], the same and [K] expected",
            hint="Give the labels of all test images, columns in arrival order.",
        )
    found = []
    for session, matrix in enumerate(scores):
        s = np.asarray(matrix)
        seen = since <= session
        if s.ndim != 2 or len(s) != len(t) or s.shape[1] < seen.sum():
            raise DataError(
                f"scores of session {session} have shape {s.shape}; {len(t)} images and {seen.sum()} labels expected",
                hint="Give one matrix per session, with a column for every label seen by then.",
            )
        found.append([_mean(s, t, held, group, ap=ap) for group in (since == 0, since == session, seen)])
    base, new, whole = np.array(found, dtype=np.float64).reshape(-1, 3).T
    return Groups(base=base, new=new, seen=whole)


def _mean(
    scores: npt.NDArray[np.generic],
    truth: npt.NDArray[np.generic],
    member: npt.NDArray[np.bool_],
    group: npt.NDArray[np.bool_],
    *,
    ap: Callable[[npt.ArrayLike, npt.ArrayLike], npt.ArrayLike],
) -> float:
    labels = np.flatnonzero(group)
    rows = member[:, labels].any(axis=1)
    return defined_mean(ap(scores[rows][:, labels], truth[rows][:, labels]))
