"""Gradients that may not point against a reference gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, distributed, nn

from clbench.nn.shared.ranks import world


@torch.no_grad()
def project(gradient: Sequence[Tensor], reference: Sequence[Tensor]) -> list[Tensor]:
    """Return `gradient` without its part against `reference`; both are lists of tensors read as one vector.

    A-GEM (Chaudhry et al., ICLR 2019, equation 11): g - (g.r / r.r) r where g.r < 0, g itself elsewhere. The scale of
    `reference` does not matter. Decided without waiting for the device. The shapes of the result are those of
    `gradient`.
    """
    along = torch.stack([(g * r).sum() for g, r in zip(gradient, reference, strict=True)]).sum()
    length = torch.stack([r.square().sum() for r in reference]).sum()
    share = along.clamp(max=0) / length.clamp(min=torch.finfo(length.dtype).tiny)
    return [g - share * r for g, r in zip(gradient, reference, strict=True)]


class Projection:
    """A plugin of the loop that projects the gradients of a step on a reference, if one was given for that step."""

    def __init__(self) -> None:
        self._parameters: list[nn.Parameter] = []
        self._reference: list[Tensor] = []

    def aim(self, loss: Tensor, parameters: Sequence[nn.Parameter]) -> None:
        """Take the gradient of `loss` as the reference of the coming step; its graph stays for the step's own loss.

        `loss` is a scalar.
        """
        found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        self._parameters = list(parameters)
        self._reference = [
            torch.zeros_like(p) if g is None else g for p, g in zip(self._parameters, found, strict=True)
        ]

    def after_backward(self, loop: Any, **_: Any) -> None:
        """Replace the gradients that `backward` left by the projected ones; called by the loop."""
        if not self._reference:
            return
        gradient = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        projected = project(_over_ranks(gradient), _over_ranks(self._reference))
        for parameter, tensor in zip(self._parameters, projected, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(tensor)
        self._parameters, self._reference = [], []


def _over_ranks(tensors: list[Tensor]) -> list[Tensor]:
    """Return the mean over all processes of a run: each would project differently otherwise."""
    if world() > 1:
        tensors = [tensor.clone() for tensor in tensors]
        for tensor in tensors:
            distributed.all_reduce(tensor)
            tensor /= world()
    return tensors
