"""What of the process belongs to everybody: settings, functions of libraries, files outside the run's folder."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

Functions = dict[tuple[Any, str], Any]
"""(module or class, attribute) -> the function or class that is there."""

_LIBRARIES = ("random", "numpy", "torch", "torch.nn.functional", "sklearn.metrics")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_listeners: list[list[str]] = []
_hooked = False


def settings() -> dict[str, object]:
    """Return what of the process a strategy could change for everybody."""
    return {
        "the state of Python's random": random.getstate(),
        "the state of numpy.random": str(np.random.get_state()),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch.backends.cudnn.benchmark": torch.backends.cudnn.benchmark,
        "torch's matmul precision": torch.get_float32_matmul_precision(),
        "numpy's handling of errors": np.geterr(),
        "the environment variables": dict(os.environ),
        "the current folder": str(Path.cwd()),
        "Python's search path": list(sys.path),
        "the handler of Ctrl-C": signal.getsignal(signal.SIGINT),
        "the handler of termination": signal.getsignal(signal.SIGTERM),
    }


def functions() -> Functions:
    """Return every function and class that clbench and the libraries it computes with hold now, methods included."""
    found: Functions = {}
    for name, module in list(sys.modules.items()):
        ours = name.startswith("clbench.") and not name.startswith("clbench.strategies.")
        if not isinstance(module, ModuleType) or not (ours or name in _LIBRARIES):
            continue
        for key, value in list(vars(module).items()):
            if callable(value):
                found[module, key] = value
            if ours and isinstance(value, type) and value.__module__ == name:
                found.update({(value, inner): method for inner, method in vars(value).items() if callable(method)})
    return found


def replaced(before: Functions) -> list[str]:
    """Return the names of functions that are others now than they were `before`, and put the old ones back."""
    found = []
    for (owner, name), value in before.items():
        now = vars(owner).get(name)
        if now is not value and not _by_its_library(owner, now):
            found.append(f"{getattr(owner, '__module__', '')}.{owner.__name__}.{name}".lstrip("."))
            setattr(owner, name, value)
    return found


def _by_its_library(owner: Any, now: Any) -> bool:
    """Whether a library put another function of its own there, as torch does when its compiler is imported."""
    if not isinstance(owner, ModuleType) or owner.__name__ not in _LIBRARIES:
        return False
    top = sys.modules[owner.__name__.partition(".")[0]]
    file = getattr(getattr(now, "__code__", None), "co_filename", "")
    return bool(file) and Path(file).is_relative_to(Path(str(top.__file__)).parent)


@contextlib.contextmanager
def writes_noted(noted: list[str]) -> Iterator[None]:
    """Add the absolute path of every file that Python opens for writing, makes, moves or removes meanwhile."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hear)  # it stays for good, and listens only while somebody wants to know
        _hooked = True
    _listeners.append(noted)
    try:
        yield
    finally:
        # by identity: two empty lists are equal
        _listeners[:] = [other for other in _listeners if other is not noted]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners:
        return
    if event == "open":
        path, mode, flags = arguments
        changes = any(letter in (mode or "") for letter in "wax+") or (mode is None and flags & _WRITES)
        paths = [path] if changes else []
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.truncate"):
        paths = [arguments[0]]
    elif event in ("os.rename", "os.link", "os.symlink"):
        paths = [arguments[1]]
    else:
        return
    for path in paths:
        if isinstance(path, (str, bytes, os.PathLike)):
            for noted in _listeners:
                noted.append(str(Path(os.fsdecode(path)).absolute()))
