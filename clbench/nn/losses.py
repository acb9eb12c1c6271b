"""Losses over partly known targets: 1 positive, 0 negative, NaN unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from clbench.errors import UsageError, suggest
from clbench.nn.shared.ranks import global_share, world

Reduction = Literal["mean", "sum", "total"]
REDUCTIONS = ("mean", "sum", "total")


def known(targets: Tensor) -> Tensor:
    """Return the boolean mask of the entries whose truth is known. Both are [B, L]."""
    return ~targets.isnan()


def reduce(entries: Tensor, mask: Tensor, *, reduction: str) -> Tensor:
    """Reduce a loss per entry [B, L] over the entries in `mask`; nothing known gives 0 with a graph.

    "mean": over the known entries, so that the step size does not change when labels are added. "sum": over the known
    labels, then the mean over the batch. "total": over labels and batch. In a distributed run counts are those of the
    global batch. The result is a scalar. Raises UsageError for another `reduction`.
    """
    # where, not a product: an infinite loss at an unknown entry must not turn into NaN
    total = torch.where(mask, entries, torch.zeros_like(entries)).sum()
    if reduction == "mean":
        known_entries = mask.sum()
        return total / (known_entries.clamp(min=1) if world() == 1 else global_share(known_entries).clamp(min=1e-6))
    if reduction == "sum":
        images = max(len(entries), 1)
        return total / (images if world() == 1 else global_share(torch.tensor(images, device=entries.device)))
    if reduction == "total":
        return total * world()
    raise UsageError(
        f"loss reduction '{reduction}' is unknown.{suggest(reduction, REDUCTIONS)}",
        hint=f"Use one of: {', '.join(REDUCTIONS)}.",
    )


def bce(logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean", weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy over the known entries.

    `logits` and `targets` are [B, L]; `weight` is broadcast against them. Computed in float32 also under autocast.
    """
    mask = known(targets)
    truth = torch.where(mask, targets, torch.zeros_like(targets)).float()
    entries = functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return reduce(entries if weight is None else entries * weight, mask, reduction=reduction)


def asl(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 0.0,
    clip: float = 0.05,
    reduction: Reduction = "total",
    focus_gradient: bool = False,
    weight: Tensor | None = None,
) -> Tensor:
    """Asymmetric loss over the known entries (Ben-Baruch et al., ICCV 2021, equations 4-7).

    L+ = (1 - p)^gamma_pos log p and L- = q^gamma_neg log(1 - q) with q = max(p - clip, 0). Its authors sum over labels
    and batch ("total") and keep the focusing factors out of the gradient; `focus_gradient` lets them in. `logits`,
    `targets` and `weight`, which multiplies the entries, are [B, L], the result is a scalar.
    """
    mask = known(targets)
    positive = mask & (targets > 0.5)
    logits = logits.float()
    p = logits.sigmoid()
    shifted = (p - clip).clamp(min=0) if clip > 0 else p
    # log sigmoid stays finite and keeps its gradient where p underflows
    log_negative = torch.log1p(-shifted) if clip > 0 else functional.logsigmoid(-logits)
    entries = -torch.where(positive, functional.logsigmoid(logits), log_negative)
    if gamma_neg > 0 or gamma_pos > 0:
        with torch.set_grad_enabled(focus_gradient and torch.is_grad_enabled()):
            distance = torch.where(positive, 1 - p, shifted)
            focus = torch.where(positive, distance**gamma_pos, distance**gamma_neg)
        entries = entries * focus
    return reduce(entries if weight is None else entries * weight, mask, reduction=reduction)


def positive_ratio(targets: Tensor) -> Tensor:
    """Return the share of positives [L] among the known entries of each label; 0 where nothing is known."""
    mask = known(targets)
    return torch.where(mask, targets, torch.zeros_like(targets)).sum(0) / mask.sum(0).clamp(min=1)


def label_ratio_weights(targets: Tensor, *, ratio: Tensor) -> Tensor:
    """Return weights [B, L] that lift the rarer side of each label (Tan et al., AAAI 2020).

    exp(1 - r_j) for a positive and exp(r_j) for a negative, with `ratio` r [L] the share of positives of label j in
    the training data; 1 where the target is unknown. To be given to `bce` as `weight`.
    """
    weights = torch.where(targets > 0.5, torch.exp(1 - ratio), torch.exp(ratio))
    return torch.where(known(targets), weights, torch.ones_like(weights))


def as_targets(y: Tensor) -> Tensor:
    """Turn int8 labels in {1, 0, -1 = unknown} into float targets in {1, 0, NaN}. Any shape, most often [B, L]."""
    return y.float().masked_fill(y < 0, float("nan"))


def in_columns(targets: Tensor, columns: slice) -> Tensor:
    """Return targets [B, L] that are unknown (NaN) outside `columns`."""
    inside = torch.full_like(targets, float("nan"))
    inside[:, columns] = targets[:, columns]
    return inside


class MaskedCriterion(nn.Module):
    """A loss for code that knows only `criterion(out, y)`, with y int8 in {1, 0, -1 = unknown}.

    Columns of `y` beyond the width of the output (labels still to come), or outputs beyond those of `y`, are left out.
    """

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor] = bce) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, out: Tensor, y: Tensor) -> Tensor:
        """Return the loss of the logits `out` [B, L] against `y` [B, >= L]."""
        width = min(out.shape[1], y.shape[1])
        return self.loss(out[:, :width], as_targets(y[:, :width]))
