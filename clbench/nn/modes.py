"""Training and evaluation mode, and the batch statistics that training mode moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put `module` into evaluation mode and, on leaving, each part of it back into the mode it was in."""
    modes = Modes(module)
    module.eval()
    try:
        yield
    finally:
        modes.restore()


class Modes:
    """The modes of a module's parts as they are now, for putting them back after whoever turned them."""

    def __init__(self, module: nn.Module) -> None:
        self._found = [(part, part.training) for part in module.modules()]

    def restore(self) -> None:
        """Put each part back into the mode it was in."""
        for part, training in self._found:
            if part.training is not training:
                part.training = training


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Let batch norms keep their statistics, whatever passes `module` meanwhile, in training mode too."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    kept = [[buffer.clone() for buffer in norm.buffers()] for norm in norms]
    yield
    with torch.no_grad():
        for norm, buffers in zip(norms, kept, strict=True):
            for buffer, before in zip(norm.buffers(), buffers, strict=True):
                buffer.copy_(before)
