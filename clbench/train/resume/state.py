"""Everything a run needs to go on exactly where it stopped, saved atomically and loaded without trust.

A state holds tensors and plain values only and is read with torch's restricted unpickler, so a state file from a
stranger can be wrong but cannot run code. No random generator is saved: each is a function of (seed, session, step).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clbench.errors import ResultsError, RunError
from clbench.files.given import damaged_part
from clbench.files.whole_file import whole_file
from clbench.method.stored import kept_values
from clbench.method.strategy import Strategy

STATE_VERSION = 2
PARTS = {"identity", "progress", "strategy", "plugins", "clock"}
"""What every state has."""
_PLAIN = (int, float, bool, str, type(None), torch.Tensor)


def save(state: dict[str, Any], path: Path) -> None:
    """Write `state` to `path` so that after a crash at any instant the old or the new one is there, whole."""
    with whole_file(path, what="the state") as file:
        torch.save({"version": STATE_VERSION, **state}, file)


def load(path: Path) -> dict[str, Any]:
    """Return the state in `path`, every bit as it was written.

    Raises ResultsError when it is damaged or from another version.
    """
    try:
        state: dict[str, Any] = load_whole(path)
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise ResultsError(
            f"{path}: not a readable state ({reason}).", hint="Start afresh with --no-resume."
        ) from error
    if not isinstance(state, dict) or state.get("version") != STATE_VERSION:
        raise ResultsError(f"{path}: a state of another version.", hint="Start afresh with --no-resume.")
    if not set(state) >= PARTS:
        raise ResultsError(f"{path}: not a whole state.", hint="Start afresh with --no-resume.")
    return state


def load_whole(path: Path) -> Any:
    """Return what `torch.save` wrote, read without trust. Raises ValueError where a bit is not as it was written."""
    if part := damaged_part(path):
        raise ValueError(f"{part} is not as it was written")
    return torch.load(path, map_location="cpu", weights_only=True)


def strategy_state(strategy: Strategy) -> dict[str, Any]:
    """Return weights, buffers and every other attribute that a strategy keeps between steps.

    Besides modules and tensors a strategy may keep plain values, arrays, lists and mappings of them, and objects with
    `state()` and `load(state)` such as the memories of clbench.nn. Raises RunError naming anything else.
    """
    kept: dict[str, Any] = {}
    for name, value in kept_values(strategy).items():
        if callable(getattr(value, "state", None)) and callable(getattr(value, "load", None)):
            kept[name] = {"kept": "object", "state": _plain(value.state(), f"{type(strategy).__name__}.{name}")}
        else:
            kept[name] = {"kept": "value", "state": _plain(value, f"{type(strategy).__name__}.{name}")}
    return {"module": strategy.state_dict(), "own": kept}


def load_strategy_state(strategy: Strategy, state: dict[str, Any]) -> None:
    """Put `state` back into a strategy whose structure was replayed. Raises ResultsError when they do not fit."""
    try:
        strategy.load_state_dict(state["module"])
    except RuntimeError as error:
        raise ResultsError(
            f"the saved state does not fit {type(strategy).__name__}: {str(error).splitlines()[-1].strip()[:200]}",
            hint="Start afresh with --no-resume.",
        ) from error
    load_kept_values(strategy, state["own"])


def load_kept_values(strategy: Strategy, kept: Mapping[str, Any]) -> None:
    """Put back what a strategy keeps besides modules, as `strategy_state` tells it under `own`."""
    for name, item in kept.items():
        value = _restored(item["state"])
        if item["kept"] == "object":
            getattr(strategy, name).load(value)
        else:
            setattr(strategy, name, value)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise RunError(f"{where}: an array of {value.dtype} cannot be saved.")
        return {"__array__": torch.from_numpy(np.array(value, order="C"))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, _PLAIN):
        return value.detach().cpu() if isinstance(value, torch.Tensor) else value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, (str, int)) for key in value):
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise RunError(
        f"{where}: a {type(value).__name__} cannot be saved, so the run could not be resumed exactly.",
        hint="Keep plain values, tensors, arrays, modules, or an object with state() and load(state).",
    )


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"__array__"}:
            return value["__array__"].numpy().copy()
        return {key: _restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    # a copy: a state is loaded twice when a run goes on inside a session, and what it holds may change in place
    return value.clone() if isinstance(value, torch.Tensor) else value
