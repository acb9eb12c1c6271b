"""Pseudo-labels: what an earlier network believes of labels that this session hides."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
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


def _ascending(scores: Tensor) -> npt.NDArray[np.float64]:
    """Return all scores in ascending order."""
    values = scores.detach().cpu()
    # NumPy's sort of 32-bit numbers is vectorised, torch's is not
    values = values if values.dtype == torch.float64 else values.float()
    return np.sort(values.numpy(), axis=None).astype(np.float64)


def _mean_above(ascending: npt.NDArray[np.float64], threshold: float, images: int) -> float:
    return (len(ascending) - int(np.searchsorted(ascending, threshold, side="right"))) / images


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
    ascending = _ascending(scores)
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
    ascending = torch.from_numpy(_ascending(scores))
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
