"""Batch norm over the global batch of a run that several processes share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from clbench.nn.shared.ranks import from_all, world


def shared_norms() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which batch norms that train normalise by what all ranks hold, as one process would.

    In it every rank must pass the same layers in the same order. Running statistics move alike on all ranks.
    """
    return _SharedNorms() if world() > 1 else contextlib.nullcontext()


class _SharedNorms(TorchFunctionMode):
    """Takes the place of `functional.batch_norm`, whichever module calls it; torch's own for this needs CUDA."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return (_batch_norm if func is functional.batch_norm else func)(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return functional.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    x = input.float()  # half precision cannot add up a batch
    others = [d for d in range(x.ndim) if d != 1]
    count = x.numel() // x.shape[1]
    own = x.sum(others) / max(count, 1)
    shape = [1, -1] + [1] * (x.ndim - 2)
    spread = (x - own.view(shape)).square().sum(others)
    told = from_all(torch.cat([own, spread, own.new_full((1,), count)]))
    means, spreads, counts = told[:, : len(own)], told[:, len(own) : -1], told[:, -1:].detach()
    total = counts.sum()
    mean = (means * counts).sum(0) / total
    # Chan, Golub and LeVeque (1979): squares about own means, and how far these lie from the common one
    squares = spreads.sum(0) + ((means - mean).square() * counts).sum(0)
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((squares / (total - 1).clamp(min=1)).to(running_var.dtype), momentum)
    scale = (squares / total + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return torch.addcmul(shift.view(shape), x, scale.view(shape)).to(input.dtype)
