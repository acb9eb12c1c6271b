"""Which train images join which session, and which are held out for validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.labels import SparseLabels, SparseMembers
from clbench.seeds import derive


def any_new_label(
    member: npt.NDArray[np.bool_] | SparseMembers, *, columns: Sequence[npt.NDArray[np.int64]]
) -> npt.NDArray[np.bool_]:
    """Return [sessions, images]: true where an image is a member of a label that is new in the session.

    `member` [N, K] is the table's; `columns` holds the table columns of each session's new labels. An image may join
    several sessions (KRT, ICCV 2023; called protocol A by KBK, arXiv 2608.30316, section 4.1).
    """
    if isinstance(member, SparseMembers):
        return member.any_of(list(columns))
    return np.stack([member[:, new].any(axis=1) for new in columns])


def disjoint(pool: npt.NDArray[np.bool_], *, ids: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.bool_]:
    """Return [sessions, images]: every image that could join a session in `pool` joins exactly one of them.

    `pool` is what `any_new_label` returns. The choice is uniform among the sessions that hold one of the image's
    labels, and depends on `seed` and the image's id alone: leaving an image out, or reading the rows in another order,
    moves no other image. The published assignments of the field's disjoint streams (protocol B of KBK, Split-VOC and
    Split-COCO of APPLE, WACV 2024) are not public, so this deal follows their rule and not their lists.
    """
    options = pool.sum(axis=0)
    drawn = np.zeros(pool.shape[1], dtype=np.int64)
    for column in np.flatnonzero(options > 1).tolist():
        drawn[column] = derive("disjoint", seed, str(ids[column])) % int(options[column])
    chosen: npt.NDArray[np.bool_] = pool & (np.cumsum(pool, axis=0) - 1 == drawn)
    return chosen


def held_out(
    positive: npt.NDArray[np.bool_] | SparseLabels, *, fraction: float, priority: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return [N]: true for the images that are held out, about `fraction` of every label's positives [N, K].

    Iterative stratification (Sechidis et al., ECML PKDD 2011) for two parts: the label with the fewest undealt
    positives comes first, and its images are dealt so that the label's held-out share comes out right; images that
    carry no label are dealt last. All images of a label are dealt at once, which costs K steps in place of N. Images
    with the smallest `priority` [N] are held out first. A label with positives keeps at least one that is not.

    Only which images are positive for which label is looked at, so labels that are lists stay lists.
    """
    n, k = positive.shape
    owner, column = _positives(positive)
    rank = np.argsort(priority, kind="stable")
    place = np.empty(n, dtype=np.int64)
    place[rank] = np.arange(n)
    owner = place[owner]
    of_label, images = _grouped(column, owner, count=k)
    of_image, labels = _grouped(owner, column, count=n)
    left = np.diff(of_label)
    wanted = fraction * left
    held = np.zeros(n, dtype=np.bool_)
    undealt = np.ones(n, dtype=np.bool_)
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, n + 1)))
        carriers = images[of_label[label] : of_label[label + 1]]
        rows = carriers[undealt[carriers]]
        share = round(float(wanted[label] - held[carriers].sum()))
        held[rows[: max(share, 0)]] = True
        undealt[rows] = False
        left -= np.bincount(labels[_spans(of_image, rows)], minlength=k)
    rest = np.flatnonzero(undealt)
    held[rest[: round(fraction * len(rest))]] = True
    for label in np.flatnonzero(np.diff(of_label)).tolist():
        carriers = images[of_label[label] : of_label[label + 1]]
        if held[carriers].all():
            held[carriers[-1]] = False
    result = np.empty_like(held)
    result[rank] = held
    return result


def _positives(positive: npt.NDArray[np.bool_] | SparseLabels) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the image and the label of every positive."""
    if not isinstance(positive, SparseLabels):
        owner, column = np.nonzero(positive)
        return owner, column
    found = [(owner[marks == 1], column[marks == 1]) for owner, column, marks in positive.listed()]
    empty = np.empty(0, dtype=np.int64)
    owners, columns = (np.concatenate([empty, *(pair[side] for pair in found)]) for side in (0, 1))
    return owners, columns.astype(np.int64)


def _grouped(
    by: npt.NDArray[np.int64], values: npt.NDArray[np.int64], *, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the values of each group begin and end, [count + 1], and the values, rising in each group."""
    order = np.lexsort((values, by))
    ends = np.cumsum(np.bincount(by, minlength=count))
    return np.concatenate([[0], ends]).astype(np.int64), values[order]


def _spans(starts: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the places of all values of `groups`."""
    counts = starts[groups + 1] - starts[groups]
    before = np.cumsum(counts) - counts
    spans: npt.NDArray[np.int64] = np.repeat(starts[groups] - before, counts) + np.arange(int(counts.sum()))
    return spans
