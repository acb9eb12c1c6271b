"""Putting terms of a loss on one scale, whatever way the recipe sums its own."""

from __future__ import annotations

import torch
from torch import Tensor

from clbench.nn.losses import Reduction, known
from clbench.nn.shared.ranks import global_share, world


def per_image(term: Tensor, targets: Tensor, *, reduction: Reduction) -> Tensor:
    """Return `term`, which counts once per image, on the scale of a classification loss of that `reduction`.

    A weight then means the same under every recipe: it is relative to a loss summed over labels and averaged over
    images ("sum"). "total" sums over images too, so the term is multiplied by their number; "mean" also averages over
    the known labels, so it is divided by how many an image has. `targets` [B, L] are the batch's.
    """
    if reduction == "sum":
        return term
    images, entries = _counted(targets)
    return term * images if reduction == "total" else term * images / entries.clamp(min=1)


def per_entry(term: Tensor, targets: Tensor, *, reduction: Reduction) -> Tensor:
    """Return `term`, which belongs beside a mean over the known entries, on the scale of that `reduction`.

    The weight is relative to a classification loss with reduction "mean"; "sum" and "total" add up their entries, so
    the term is multiplied by how many an image, or the whole batch, has. `targets` [B, L] are the batch's.
    """
    if reduction == "mean":
        return term
    images, entries = _counted(targets)
    return term * (entries / max(images, 1) if reduction == "sum" else entries)


def _counted(targets: Tensor) -> tuple[Tensor | int, Tensor]:
    """Return how many images and how many known labels the global batch has."""
    entries = known(targets).sum()
    if world() == 1:
        return len(targets), entries
    images = torch.full_like(entries, len(targets))
    both = global_share(torch.stack([images, entries])) * world()
    return both[0], both[1]
