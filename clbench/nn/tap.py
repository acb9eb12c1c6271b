"""What flowed through a module in the last training step, for losses that look inside the network."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clbench.errors import ClbenchError


class Tap:
    """Keeps the input and the output of a module's last forward pass that built a graph.

    A strategy's `loss` is given logits only; a tap on the head keeps the map it was given, one on the head's last norm
    the label features. Nothing is computed twice. Copies of the module (teachers) carry no tap, and evaluation leaves
    nothing behind.
    """

    def __init__(self, module: nn.Module) -> None:
        self._last: tuple[Any, Any] | None = None
        module.register_forward_hook(self)

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Take note of one pass; called by torch."""
        if torch.is_grad_enabled():
            self._last = inputs[0], output

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return _nothing

    def _take(self) -> tuple[Any, Any]:
        if self._last is None:
            raise ClbenchError(
                "a tap was asked for a pass that did not happen, or was asked twice.",
                hint="Take once per step, after the network was called on the batch with gradients on.",
            )
        last, self._last = self._last, None
        return last

    def given(self) -> Any:
        """Return what the module was given and forget the pass."""
        return self._take()[0]

    def output(self) -> Tensor:
        """Return what the module put out and forget the pass. Its shape is the module's, [B, ...]."""
        output: Tensor = self._take()[1]
        return output


def _nothing(module: nn.Module, inputs: Any, output: Any) -> None:
    """Stand where a tap was in a copy of a module."""
