"""What a strategy computes its scores with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from clbench.method.stored import arrays, kept_values
from clbench.method.strategy import Strategy
from clbench.nn.distil import without_teachers

SMALLEST = 64
"""Numbers from which those that nobody counts are told: fewer decide little."""


class _Inputs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every tensor that goes into a computation and was not made by it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.met: dict[int, Tensor] = {}
        self._made: list[Tensor] = []  # held, so that no address is used twice
        self._places: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        for tensor in given:
            if _place(tensor) not in self._places:
                self.met.setdefault(_place(tensor), tensor)
                self._made.append(tensor)
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._made.append(tensor)
                self._places.add(_place(tensor))
        return result


def uncounted(strategy: Strategy, ask: Callable[[Tensor], object], images: Tensor) -> list[Tensor]:
    """Return the tensors that scores of `images` [n, 3, S, S] are computed with and no record counts, largest first.

    None where they hold few numbers together. Counted are parameters but those of frozen earlier networks, and what is
    kept besides. A parameter that is kept besides, in a container, counts as none: it is a network that predicts and is
    told as state.
    """
    with _Inputs() as inputs:
        ask(images)
    parameters = {_place(parameter) for parameter in without_teachers(strategy)}
    besides = set(_places_besides(strategy)) | {_place(images)}
    found = [
        tensor
        for place, tensor in inputs.met.items()
        if place not in parameters and (isinstance(tensor, nn.Parameter) or place not in besides)
    ]
    enough = sum(tensor.numel() for tensor in found) >= SMALLEST
    return sorted(found, key=Tensor.numel, reverse=True) if enough else []


def _places_besides(strategy: Strategy) -> Iterator[int]:
    for buffer in strategy.buffers():
        yield _place(buffer)
    for value in kept_values(strategy).values():
        for array in arrays(value):
            yield _place(array)


def _place(value: Tensor | np.ndarray[Any, Any]) -> int:
    if isinstance(value, Tensor):
        return value.untyped_storage().data_ptr()
    while isinstance(value.base, np.ndarray):
        value = value.base
    return int(value.__array_interface__["data"][0])
