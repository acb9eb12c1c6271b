"""The processes that share one run, as far as losses need to know of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def world() -> int:
    """Return the number of processes that share this run; 1 without torchrun."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Return this process's number among them."""
    return distributed.get_rank() if world() > 1 else 0


def global_share(count: Tensor) -> Tensor:
    """Return the sum of `count` over all processes divided by their number: what a local sum is to be divided by.

    Gradients are averaged over processes afterwards; together that divides the global sum by the global count, however
    the entries are spread. Without other processes it is `count` itself. `count` is a scalar, and so is the result.
    """
    if world() == 1:
        return count
    total = count.detach().to(torch.float32, copy=True)
    distributed.all_reduce(total)
    return total / world()


def global_mean(values: Tensor) -> Tensor:
    """Return the mean of `values`, over all processes, as something whose gradients are averaged over them.

    `values` are of any shape, the result is a scalar.
    """
    if world() == 1:
        return values.mean()
    return values.sum() / global_share(torch.tensor(float(values.numel()), device=values.device))


def from_all(values: Tensor) -> Tensor:
    """Return `values` of every rank, stacked [world, ...]; a gradient finds its way back to the rank it belongs to.

    Every rank has to ask, with the same shape. What follows may be computed on all ranks alike: gradients are averaged
    over ranks afterwards, and together that is the gradient of the mean of their losses.
    """
    found: Tensor = _FromAll.apply(values) if world() > 1 else values[None]
    return found


class _FromAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(world())]
        distributed.all_gather(parts, values.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        return total[rank()]
