"""Training for labels that are still to come: a made-up unknown class, and gradients put on one scale."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clbench.nn.losses import known


def unknown_features(
    own: Tensor, targets: Tensor, *, rng: np.random.Generator, alpha: float = 0.2, similar: bool = True
) -> Tensor:
    """Return o_V [m, d]: absent labels' features mixed by how much they look like present ones, of m images.

    SPU of KBK (arXiv 2608.30316, eq. 10-13) for label features [B, L, d]: w_a is the mean cosine of absent label a to
    the present ones, lambda_a ~ Beta(alpha, alpha), o_V = sum lambda_a w_a o_a / sum lambda_a w_a; w_a = 1 without
    `similar` (HCP). Deviations: negative cosines count 0 and images whose weights sum to less than 1e-6, or without a
    present label, are left out: the published sum may vanish or change its sign.
    """
    present, absent = targets > 0.5, known(targets) & (targets < 0.5)
    unit = functional.normalize(own.float(), dim=2)
    direction = (unit * present.unsqueeze(2)).sum(1) / present.sum(1, keepdim=True).clamp(min=1)
    cosine = (unit @ direction.unsqueeze(2)).squeeze(2)
    drawn = torch.from_numpy(rng.beta(alpha, alpha, size=tuple(targets.shape))).to(own.device, torch.float32)
    weight = torch.where(absent, drawn * (cosine.detach().clamp(min=0) if similar else 1.0), 0.0)
    total = weight.sum(1)
    usable = (total > 1e-6) & present.any(1)
    share = weight[usable] / total[usable].unsqueeze(1)
    return (share.unsqueeze(2) * own[usable]).sum(1)


def balance(logits: Tensor, targets: Tensor, *, sessions: list[int]) -> Tensor:
    """Return psi [B, L]: |p - y| over its mean in the batch among a session's labels with the same target.

    CGC of KBK (arXiv 2608.30316, eq. 17-19), detached; 1 for the labels of the last of `sessions` (labels per session),
    and where the target is unknown. Averages to 1 in every group. The paper takes p - y for the gradient of its loss;
    that is binary cross-entropy's, the asymmetric one's is smaller at easy negatives.
    """
    error = (logits.detach().float().sigmoid() - targets).abs()
    psi, first = torch.ones_like(error), 0
    for k in sessions[:-1]:
        columns, first = slice(first, first + k), first + k
        for group in (targets[:, columns] > 0.5, targets[:, columns] <= 0.5):
            if bool(group.any()):
                found = error[:, columns][group]
                psi[:, columns][group] = found / found.mean().clamp(min=1e-12)
    return psi
