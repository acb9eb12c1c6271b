"""What of the process belongs to everybody: settings, functions of libraries, files outside the run's folder."""

from __future__ import annotations

import atexit
import contextlib
import gc
import inspect
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

Functions = dict[tuple[Any, str], tuple[Any, object]]
"""(module or class, attribute) -> the function, class or constant that is there, and what it consists of."""

_LIBRARIES = (
    *("builtins", "hashlib", "json", "math", "msgspec", "msgspec.json", "os", "pathlib", "random"),
    *("numpy", "numpy.lib.format", "numpy.linalg", "sklearn.metrics"),
    *("torch", "torch.linalg", "torch.nn.functional"),
)
_CLASSES = (torch.Tensor, torch.nn.Module)
"""Classes of libraries whose methods everything goes through."""
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STARTS = (
    "subprocess.Popen",
    "os.posix_spawn",
    "os.spawn",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.system",
    "pty.spawn",
)
_listeners: list[Noted] = []
_hooked = False


@dataclass
class Noted:
    """What was heard of this process: files written, made, moved or removed, and how processes were started."""

    written: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)


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
        "the handler of a signal": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "torch's rounding of the smallest numbers": bool(torch.tensor(1e-40) * 1 == 0),
        "torch's hooks for every module": [
            list(hooks)
            for name, hooks in vars(torch.nn.modules.module).items()
            if name.startswith("_global_") and isinstance(hooks, dict)
        ],
        "the number of threads": threading.active_count(),
        "what is done when Python ends": atexit._ncallbacks(),
        "Python's collector of garbage": (gc.isenabled(), gc.get_threshold()),
        "Python's limit of recursion": sys.getrecursionlimit(),
        "Python's hook for errors": sys.excepthook,
    }


def processes() -> object:
    """Return something that is another once this process has started another one, whoever did it and by what means."""
    children = [path.read_text() for path in sorted(Path("/proc/self/task").glob("*/children"))]
    try:
        from resource import RUSAGE_CHILDREN, getrusage
    except ImportError:
        return children
    return children, getrusage(RUSAGE_CHILDREN).ru_minflt  # of those that ended and were waited for


def open_files() -> set[str]:
    """Return the names of all that is open in this process, files without a place too; nothing where nobody tells."""
    found = set()
    for path in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):  # the folder that is being listed is closed by now
            found.add(str(path.readlink()))
    return found


def functions() -> Functions:
    """Return every function, class and constant that clbench and the libraries it computes with hold now."""
    found: Functions = {}
    for name, module in list(sys.modules.items()):
        ours = name.startswith("clbench.") and not name.startswith("clbench.strategies.")
        if not isinstance(module, ModuleType) or not (ours or name in _LIBRARIES):
            continue
        for key, value in list(vars(module).items()):
            if callable(value) or (ours and key.lstrip("_").isupper()):
                found[module, key] = _seen(value)
            if ours and isinstance(value, type) and value.__module__ == name:
                found.update(_methods(value))
    found.update(
        {(kind, name): _seen(held) for kind in _CLASSES for name in dir(kind) if _does(held := _at(kind, name))}
    )
    return found


def _at(owner: Any, name: str) -> Any:
    """Return what is there, as it is written down: of a class also what it has from others."""
    return inspect.getattr_static(owner, name, None) if isinstance(owner, type) else vars(owner).get(name)


def _methods(kind: type) -> Functions:
    return {(kind, name): _seen(held) for name, held in vars(kind).items() if _does(held)}


def _does(value: Any) -> bool:
    return callable(value) or isinstance(value, (property, staticmethod, classmethod))


def _seen(value: Any) -> tuple[Any, object]:
    """Return the value itself, and what it consists of where that can be changed in place."""
    if isinstance(value, property):
        return value, [_seen(part)[1] for part in (value.fget, value.fset, value.fdel)]
    function = getattr(value, "__func__", value)
    if isinstance(function, FunctionType):
        return value, (function.__code__, function.__defaults__, dict(function.__kwdefaults__ or {}))
    if isinstance(value, np.ndarray):
        return value, value.tobytes()
    if isinstance(value, dict):
        return value, {repr(key): _entry(held) for key, held in value.items()}
    return value, [_entry(held) for held in value] if isinstance(value, list) else None


def _entry(held: Any) -> object:
    """Return what an entry of a table is: its value where that is a plain one, else which object."""
    return held if isinstance(held, (str, bytes, int, float, tuple)) else id(held)


def replaced(before: Functions) -> list[str]:
    """Return the names of functions and constants that are others now than they were `before`, or consist of others."""
    found = []
    for (owner, name), (value, inside) in before.items():
        now, inside_now = _seen(_at(owner, name))
        if isinstance(inside, dict) and isinstance(inside_now, dict):
            inside_now = {key: held for key, held in inside_now.items() if key in inside}  # tables that fill as they go
        if (now is not value and not _by_its_library(owner, now)) or (now is value and inside_now != inside):
            found.append(f"{getattr(owner, '__module__', '')}.{owner.__name__}.{name}".lstrip("."))
    return found


def _by_its_library(owner: Any, now: Any) -> bool:
    """Whether a library put another function of its own there, as torch does when its compiler is imported."""
    if not isinstance(owner, ModuleType) or owner.__name__ not in _LIBRARIES:
        return False
    top = sys.modules[owner.__name__.partition(".")[0]]
    file = getattr(getattr(now, "__code__", None), "co_filename", "")
    return bool(file) and Path(file).is_relative_to(Path(str(top.__file__)).parent)


@contextlib.contextmanager
def listening(noted: Noted) -> Iterator[None]:
    """Note every file that Python opens for writing, makes, moves or removes meanwhile, and every process it starts."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hear)  # it stays for good, and listens only while somebody wants to know
        _hooked = True
    _listeners.append(noted)
    try:
        yield
    finally:
        # by identity: two empty ones are equal
        _listeners[:] = [other for other in _listeners if other is not noted]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners:
        return
    if event in _STARTS:
        for noted in _listeners:
            noted.started.append(event)
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
                noted.written.append(str(Path(os.fsdecode(path)).absolute()))
