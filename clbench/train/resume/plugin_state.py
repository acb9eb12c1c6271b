"""The state of Avalanche's plugins as plain values, so that a run with one of them resumes exactly."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from clbench.train.loop import ParamData

_SKIPPED = "__skipped__"
_PLAIN = (int, float, bool, str, type(None))


def plugin_state(plugin: Any, model: nn.Module) -> dict[str, Any]:
    """Return what an Avalanche plugin keeps, as plain values; functions and generators are left out.

    A tensor that is a parameter of `model` is saved as that: it goes on changing with the parameter.
    """
    own = {p.data_ptr(): name for name, p in model.named_parameters() if p.numel()}
    return {name: _plain(value, own) for name, value in vars(plugin).items()}


def load_plugin_state(plugin: Any, state: dict[str, Any], model: nn.Module) -> None:
    """Put a plugin's values back; what was not saved (functions, generators) stays as it is."""
    parameters = dict(model.named_parameters())
    for name, value in state.items():
        if not (isinstance(value, str) and value == _SKIPPED):
            setattr(plugin, name, _restored(value, getattr(plugin, name, None), parameters))


def _plain(value: Any, own: dict[int, str]) -> Any:
    if isinstance(value, ParamData):
        data = None if value._data is None else _plain(value._data, own)
        return {"__param__": [value.name, list(value.shape), str(value.device), data]}
    if isinstance(value, dict):
        # keys may be integers (sessions) or names
        return {"__items__": [[key, _plain(item, own)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_plain(item, own) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"__set__": sorted(value)}
    if isinstance(value, torch.Tensor):
        name = own.get(value.data_ptr())
        return value.detach().cpu() if name is None else {"__parameter__": [name, list(value.shape)]}
    return value if isinstance(value, _PLAIN) else _SKIPPED


def _restored(value: Any, current: Any, parameters: dict[str, nn.Parameter]) -> Any:
    if isinstance(value, dict):
        if "__param__" in value:
            name, shape, device, data = value["__param__"]
            made = ParamData(name, shape=torch.Size(shape), device=device)
            made._data = None if data is None else _restored(data, None, parameters).to(device)
            return made
        if "__parameter__" in value:
            name, shape = value["__parameter__"]
            return parameters[name].detach().reshape(shape)
        if "__set__" in value:
            return set(value["__set__"])
        items = {key: _restored(item, None, parameters) for key, item in value["__items__"]}
        if current is not None and hasattr(current, "default_factory"):
            return type(current)(current.default_factory, items)
        return items
    if isinstance(value, list):
        return [_restored(item, None, parameters) for item in value]
    # a copy: plugins work in place, and a state is loaded twice when a run goes on inside a session
    return value.clone() if isinstance(value, torch.Tensor) else value
