"""Contrast between label features, and between label features and class prototypes."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

EmptyClass = Literal["push", "skip"]


def sscl(features: Tensor, classes: Tensor, *, temperature: float = 0.2, counted: Tensor | None = None) -> Tensor:
    """Sample-to-sample contrast of active label features; SADCL (ECAI 2023), confirmed by its poster and its code.

    `features` [A, d] are the features of present labels, from the batch and from a bank alike, `classes` int64 [A]
    their labels. Each is an anchor once: the mean over anchors of -1/|P| sum over P of log(exp(z.z_p / t) / sum over
    all others of exp(z.z_a / t)), with P the others of its class and z of unit length. An anchor without a partner
    contributes 0 and counts; fewer than two anchors give 0 with a graph. `counted` bool [A] leaves anchors out of the
    sum but not out of the number they are divided by (see `sscl_views`).
    """
    if len(features) < 2:
        return features.sum() * 0.0  # the row of a single anchor is empty, and its gradient not a number
    z = functional.normalize(_wide(features), dim=-1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    with torch.autocast(z.device.type, enabled=False):  # half precision is too coarse for exponents of 1 / temperature
        similarity = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    log_share = similarity - similarity.logsumexp(dim=1, keepdim=True)
    partners = (classes[:, None] == classes[None, :]) & ~itself
    drawn = torch.where(partners, log_share, torch.zeros_like(log_share)).sum(1) / partners.sum(1).clamp(min=1)
    if counted is not None:
        drawn = torch.where(counted, drawn, torch.zeros_like(drawn))
    return -drawn.mean()


def sscl_views(
    features: Tensor, targets: Tensor, *, temperature: float = 0.2, official_mask_order: bool = False
) -> Tensor:
    """The same contrast for `features` [views, B, C, d] of images with `targets` [B, C]; only present labels take part.

    `official_mask_order` repeats what the authors' code does and their formula does not say: anchors run view by view
    while the mask over them runs image by image, so that an anchor counts by the label of another image.
    """
    views, batch = features.shape[:2]
    present = targets > 0.5  # false where unknown
    active = present.expand(views, -1, -1)
    classes = torch.arange(targets.shape[1], device=targets.device).expand(active.shape)
    counted = None
    if official_mask_order:
        image = torch.arange(views * batch, device=targets.device) // views
        counted = present[image].view_as(active)[active]
    return sscl(features[active], classes[active], temperature=temperature, counted=counted)


def pscl(
    features: Tensor,
    prototypes: Tensor,
    targets: Tensor,
    *,
    temperature: float = 0.07,
    empty_class: EmptyClass = "push",
) -> Tensor:
    """Prototype-to-sample contrast; SADCL (ECAI 2023), confirmed in the authors' code.

    For label features [B, C, d], prototypes [C, d] and targets [B, C]: per class j, -log(sum over its positives of
    exp(c_j.x_ij / t) / sum over all known images of exp(c_j.x_ij / t)) with cosines, summed over classes and divided by
    the number of positives in the batch. A class without positives among its known images, for which the formula has no
    value, still pushes them all away ("push", as the authors' code does) or is left out ("skip"). A batch without any
    positive gives 0 with a graph, where the authors' code stops. Reconstructed, since their code knows every label: an
    image whose label is unknown is on neither side.
    """
    x, c = functional.normalize(_wide(features), dim=-1), functional.normalize(_wide(prototypes), dim=-1)
    cosine = (x * c).sum(-1) / temperature
    positive, known = targets > 0.5, ~targets.isnan()
    everyone, drawn = _log_sum(cosine, known), _log_sum(cosine, positive)
    if empty_class == "push":
        # what is taken off has no gradient: the value stays at or above 0 like that of the other classes
        floor = cosine.detach().masked_fill(~known, -torch.inf).amax(0)
        drawn = torch.where(positive.any(0), drawn, floor)
        counted = known.any(0)
    else:
        counted = positive.any(0)
    loss = torch.where(counted, everyone - drawn, torch.zeros_like(everyone))
    pairs = positive.sum()
    return torch.where(pairs > 0, loss.sum() / pairs.clamp(min=1), loss.sum() * 0.0)


def _log_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Return the logarithm of the sum of exponentials over the rows in `mask` [B, C]; 0 without a gradient for none."""
    some = mask.any(0)
    held = values.masked_fill(~mask & some, -torch.inf)
    return torch.where(some, torch.where(some, held, torch.zeros_like(held)).logsumexp(0), values.new_zeros(()))


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
