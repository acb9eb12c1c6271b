"""Train and test for photos that have no split: stratified over the labels, groups kept together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

TIE = 1e-9
"""Wishes are sums of fractions; what differs by less is equal."""


def stratified_test(
    y: npt.NDArray[np.int8], *, groups: Sequence[str], share: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Return which rows go to test: about `share` of all, and of the positives of every label.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD
    2011, Algorithm 1): again and again the label with the fewest positives left is dealt out, each row to the side that
    lacks most of that label, then most rows. Rows of one group (a patient, a video) go together; a group counts with
    all its positives. Only 1 is a positive: unknown (-1) is none. `y` is [rows, labels]; the rows' order matters, so
    give them sorted.

    >>> y = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.int8)
    >>> stratified_test(y, groups=["a", "b", "c", "d"], share=0.5, seed=0).sum()
    np.int64(2)
    """
    members: dict[str, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    units = list(members.values())
    carried = np.stack([(y[rows] == 1).sum(axis=0) for rows in units]).astype(np.float64)  # [units, labels]
    sizes = np.array([len(rows) for rows in units], dtype=np.float64)
    shares = np.array([1 - share, share])
    wanted_rows = shares * sizes.sum()  # train, test
    wanted = shares[:, None] * carried.sum(axis=0)  # [2, labels]
    dice = np.random.default_rng(seed)
    order = dice.permutation(len(units))
    rank = np.empty(len(units), dtype=np.int64)
    rank[order] = np.arange(len(units))
    open_, side = np.ones(len(units), dtype=np.bool_), np.zeros(len(units), dtype=np.int64)
    left = (carried > 0).sum(axis=0)  # units that still carry each label
    while open_.any():
        waiting = np.flatnonzero(left > 0)
        label = int(waiting[np.argmin(left[waiting])]) if len(waiting) else None
        batch = np.flatnonzero(open_ & (carried[:, label] > 0)) if label is not None else np.flatnonzero(open_)
        # large groups first: what comes last is small enough to even things out
        for unit in batch[np.lexsort((rank[batch], -sizes[batch]))].tolist():
            lacks = wanted[:, label] if label is not None else wanted_rows
            sides = np.flatnonzero(lacks > lacks.max() - TIE)
            rows = wanted_rows[sides]
            sides = sides[rows > rows.max() - TIE]
            chosen = int(sides[0] if len(sides) == 1 else dice.choice(sides))
            side[unit] = chosen
            open_[unit] = False
            wanted[chosen] -= carried[unit]
            wanted_rows[chosen] -= sizes[unit]
            left -= carried[unit] > 0
    test = np.zeros(len(y), dtype=np.bool_)
    for unit, rows in enumerate(units):
        test[rows] = side[unit] == 1
    return test
