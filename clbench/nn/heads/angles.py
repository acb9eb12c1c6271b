"""How near a label's feature comes to its own classifier."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from clbench.nn.heads.network import Network


def positive_angles(features: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Return the angle in degrees between feature and classifier row of every positive, flat, float32.

    `features` is [B, L, d], or [B, 1, d] when labels share one; `weight` [L, d]; `targets` [B, L] in {1, 0, NaN}.
    """
    image, label = (targets > 0.5).nonzero(as_tuple=True)
    own = features[image, label if features.shape[1] > 1 else 0].float()
    cosine = functional.cosine_similarity(own, weight[label].float(), dim=-1)
    return torch.rad2deg(cosine.clamp(-1, 1).arccos())


def shared_feature_angle(labels: int) -> float:
    """Return arccos(1 / sqrt(M)) in degrees: how near one feature can come to M orthogonal classifiers at once.

    Confirmed by the abstract of DLFL (arXiv 2212.01461): a shared feature cannot be near several classifiers, which is
    its reason for a feature per label. The formula is derived here: with orthogonal classifiers of equal length and no
    bias, the cross-entropy of a shared feature of given length is least where it is this far from every classifier, or
    from its opposite where the label is absent. Trained classifiers need not be orthogonal.
    """
    return math.degrees(math.acos(1 / math.sqrt(labels)))


@torch.no_grad()
def mean_positive_angle(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the mean of `positive_angles` over (images, targets [B, L]); NaN without a positive.

    The network should be in evaluation mode.
    """
    weight = network.head.classifier()[0]
    total, count = torch.zeros((), dtype=torch.float64), 0
    for images, targets in batches:
        angles = positive_angles(network.head.label_features(network.maps(images)), weight, targets)
        total += angles.sum(dtype=torch.float64).cpu()
        count += len(angles)
    return float(total) / count if count else math.nan
