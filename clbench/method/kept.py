"""What a strategy keeps from one session to the next besides the parameters of the network that scores."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

from clbench.method.stored import memories
from clbench.method.strategy import Strategy
from clbench.nn.distil import without_teachers


def kept_values(strategy: Strategy) -> dict[str, Any]:
    """Return what a strategy keeps besides modules: neither hyper-parameters nor the module's own bookkeeping."""
    bookkeeping = set(vars(nn.Module()))
    skip = bookkeeping | set(strategy.fields_of())
    return {name: value for name, value in vars(strategy).items() if name not in skip and not name.startswith("_")}


def state_bytes(strategy: Strategy) -> int:
    """Return the bytes of every tensor and array kept now that is no parameter of the scored network.

    Gram matrices, statistics, graphs, text tables, and teachers with their buffers where one is held over a session's
    end. Not counted: memories, which `count_stored` counts, and buffers of `strategy.net` such as batch statistics,
    which go with its parameters. A tensor that two attributes share counts once.
    """
    held = {id(array): array for array in _arrays_beside_the_network(strategy)}
    return int(sum(array.nbytes for array in held.values()))


def _arrays_beside_the_network(strategy: Strategy) -> Iterator[Any]:
    counted_elsewhere = memories(strategy)
    for name, value in kept_values(strategy).items():
        if name not in counted_elsewhere:
            yield from arrays(value)
    parameters = {id(parameter) for parameter in without_teachers(strategy)}
    for name, tensor in strategy.state_dict(keep_vars=True).items():
        if not name.startswith("net.") and id(tensor) not in parameters:
            yield tensor


def arrays(value: Any) -> Iterator[Any]:
    """Yield every tensor and array that a value holds, in containers too and in the `state()` of objects."""
    if isinstance(value, (Tensor, np.ndarray)):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays(item)
    elif not isinstance(value, (type, ModuleType)) and callable(getattr(value, "state", None)):
        yield from arrays(value.state())
