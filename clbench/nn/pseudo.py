"""Pseudo-labels: what an earlier network believes of labels that this session hides."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from clbench.errors import ClbenchError
from clbench.nn.losses import known


def with_pseudo_labels(
    targets: Tensor, scores: Tensor, *, threshold: float | Tensor, below: Literal["keep", "negative"] = "keep"
) -> Tensor:
    """Return `targets` with unknown entries turned positive where the teacher's score exceeds `threshold`.

    `targets` float [B, L] in {0, 1, NaN}, `scores` probabilities [B, O] of the first O labels, `threshold` a number or
    one per label [O]. The other unknown entries of the first O labels stay unknown, or become negatives with `below`
    "negative" (KRT). What is known is never overruled. Raises ClbenchError where O > L.
    """
    old = scores.shape[1]
    if old > targets.shape[1]:
        raise ClbenchError(
            f"with_pseudo_labels: {old} scores per image for {targets.shape[1]} labels.",
            hint="Labels are in arrival order; a teacher knows at most those seen now.",
        )
    part = targets[:, :old]
    open_entries = ~known(part)
    positive = scores > threshold
    filled = torch.where(open_entries & positive, torch.ones_like(part), part)
    if below == "negative":
        filled = torch.where(open_entries & ~positive, torch.zeros_like(part), filled)
    return torch.cat([filled, targets[:, old:]], dim=1)


def _mean_above(ascending: Tensor, threshold: float, images: int) -> float:
    at = torch.searchsorted(ascending, torch.tensor(threshold, dtype=ascending.dtype), right=True)
    return (len(ascending) - int(at)) / images


def stepped_threshold(
    scores: Tensor,
    *,
    density: float,
    start: float = 0.8,
    step: float = 0.005,
    tolerance: float = 0.1,
    lower: float = 0.0001,
    upper: float = 0.999999,
    moves: int = 100,
) -> float:
    """Return the threshold at which an image has about `density` positives, found by KRT's steps.

    Dynamic pseudo-labels of KRT (Dong et al., ICCV 2023): from `start`, the threshold of the session before, move by
    `step` until the mean number of `scores` [N, O] above it is within `tolerance` of `density`. All moves are read off
    one sort. Deviation: after `moves` moves the authors' code stops with an error; here the nearest threshold that was
    visited is returned.
    """
    images = _checked(scores)
    ascending = scores.double().flatten().sort().values.cpu()
    threshold, best, nearest = start, start, float("inf")
    for _ in range(moves + 1):
        gap = _mean_above(ascending, threshold, images) - density
        if abs(gap) < nearest:
            best, nearest = threshold, abs(gap)
        if abs(gap) <= tolerance:
            return threshold
        threshold = min(max(threshold + (step if gap > 0 else -step), lower), upper)
    return best


def density_threshold(scores: Tensor, *, density: float) -> float:
    """Return the threshold at which the mean number of `scores` [N, O] above it is nearest to `density`.

    Exact: half-way between two neighbouring scores, so that no score equals it. Of two equally near thresholds the
    higher one, with fewer positives, is returned.
    """
    images = _checked(scores)
    ascending = scores.double().flatten().sort().values.cpu()
    # half-way between equal neighbours lies no cut: it would be one of the scores
    middle = ((ascending[1:] + ascending[:-1]) / 2)[ascending[1:] > ascending[:-1]]
    cuts = torch.cat([ascending[:1] - 1, middle, ascending[-1:] + 1])
    above = len(ascending) - torch.searchsorted(ascending, cuts, right=True)
    gap = (above / images - density).abs()
    nearest = torch.nonzero(gap == gap.min()).max()
    return float(cuts[nearest])


def _checked(scores: Tensor) -> int:
    if scores.ndim != 2 or not scores.numel():
        raise ClbenchError(
            f"pseudo-labels: scores have shape {tuple(scores.shape)}, expected [images, labels] with some of each.",
            hint="Ask for a threshold only when a teacher has scored images.",
        )
    return len(scores)
