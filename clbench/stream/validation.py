"""A validation split that keeps every label's share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def held_out(
    positive: npt.NDArray[np.bool_], *, fraction: float, priority: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return [N]: true for the images that are held out, about `fraction` of every label's positives [N, K].

    Iterative stratification (Sechidis et al., ECML PKDD 2011) for two parts: the label with the fewest undealt
    positives comes first, and its images are dealt so that the label's held-out share comes out right; images that
    carry no label are dealt last. All images of a label are dealt at once, which costs K steps in place of N. Images
    with the smallest `priority` [N] are held out first. A label with positives keeps at least one that is not.
    """
    n = len(positive)
    rank = np.argsort(priority, kind="stable")
    ranked = np.ascontiguousarray(positive[rank].T)
    wanted = fraction * ranked.sum(axis=1)
    held = np.zeros(n, dtype=np.bool_)
    undealt = np.ones(n, dtype=np.bool_)
    left = ranked.sum(axis=1)
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, n + 1)))
        rows = np.flatnonzero(undealt & ranked[label])
        share = round(float(wanted[label] - ranked[label, held].sum()))
        held[rows[: max(share, 0)]] = True
        undealt[rows] = False
        left -= ranked[:, rows].sum(axis=1)
    rest = np.flatnonzero(undealt)
    held[rest[: round(fraction * len(rest))]] = True
    for label in np.flatnonzero(ranked.any(axis=1)).tolist():
        if not (ranked[label] & ~held).any():
            held[np.flatnonzero(ranked[label])[-1]] = False
    result = np.empty_like(held)
    result[rank] = held
    return result
