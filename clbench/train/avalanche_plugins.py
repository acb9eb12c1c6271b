"""Avalanche's own plugins by name, for strategies that run them as they are."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

from clbench.errors import UsageError, suggest
from clbench.method.stock_plugins import refuse_unusable


def builtin(name: str, *, options: Mapping[str, Any]) -> Any:
    """Return Avalanche's training plugin `name` (its class name), made with `options`.

    To be called inside `Strategy.plugins`: importing Avalanche takes seconds. A plugin reads a session as (image, y,
    row) with y int8 in {1, 0, -1 = unknown}; one that reads the values of y by itself is not exact here. Raises
    UsageError for a name or an option that Avalanche does not have, and for a plugin that is known not to work here.

    >>> plugin = clbench.builtin("EWCPlugin", options={"ewc_lambda": 0.5})
    >>> type(plugin).__name__
    'EWCPlugin'
    >>> clbench.builtin("EWCPlugin", options={"lambda": 0.5})
    Traceback (most recent call last):
      ...
    clbench.errors.UsageError: Avalanche's EWCPlugin has no option 'lambda'. Did you mean 'ewc_lambda'?
      ...
    >>> clbench.builtin("GEMPlugin", options={"patterns_per_experience": 10, "memory_strength": 0.5})
    Traceback (most recent call last):
      ...
    clbench.errors.UsageError: Avalanche's GEMPlugin cannot be used here: it keeps pictures that no memory counts.
      ...
    """
    from clbench.train.loop import training_plugins

    known = training_plugins(name)
    if name not in known:
        raise UsageError(f"Avalanche has no training plugin '{name}'.{suggest(name, known)}")
    parameters = [p for p in inspect.signature(known[name].__init__).parameters if p != "self"]
    for option in options:
        if option not in parameters:
            raise UsageError(
                f"Avalanche's {name} has no option '{option}'.{suggest(option, parameters)}",
                hint=f"Its options: {', '.join(parameters)}.",
            )
    refuse_unusable(known[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return known[name](**options)
