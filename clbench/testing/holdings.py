"""Pictures that something in this process holds, wherever it does: in attributes, containers, closures, plugins."""

from __future__ import annotations

import gc
import sys
from array import array
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from clbench.testing.world import SIZE

PIXELS = 3 * SIZE * SIZE
ALIKE = 0.98
"""Correlation from which numbers are a picture: scaled, shifted, of less precision, mirrored, or with colours last."""


def pictures_held(pictures: npt.NDArray[np.uint8], *, except_for: Iterable[Any] = ()) -> str:
    """Return what holds pictures made since `gc.freeze()`, or "".

    `pictures` uint8 [n, 3, 16, 16] are those to look for; arrays `except_for` hold them rightly. Found are arrays that
    have a picture's shape, and those of any shape whose numbers are a picture's.
    """
    known = _Known(pictures)
    rightly = {_address(array) for array in (pictures, known.rows, *except_for)}
    for where, value in _held():
        if _address(value) not in rightly and known.in_(value):
            return where
    return ""


def _held() -> Iterator[tuple[str, Any]]:
    """Yield every tensor, array and run of bytes, letters or numbers that is held, with the name of who holds it."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            yield from _named(vars(module), f"{module.__name__}.{{}}")
    for holder in gc.get_objects():
        if issubclass(type(holder), Tensor) and _big(holder):
            yield f"a {type(holder).__name__.lower()}", holder
        elif type(holder) is dict:
            yield from _named(holder, "'{}'")
        else:
            for value in gc.get_referents(holder):
                yield from ((f"a {type(holder).__name__}", found) for found in _inside(value))


def _named(values: dict[Any, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in list(values.items()):
        yield from ((name.format(key), found) for found in _inside(value))


def _inside(value: Any) -> Iterator[Any]:
    """Yield the value if it is big, or what is in a container that Python's collector does not know.

    It keeps no list of dicts and tuples that hold nothing but arrays, bytes, texts and numbers.
    """
    if _big(value):
        yield value
    elif type(value) in (dict, tuple) and not gc.is_tracked(value):
        for each in list(value.values()) if type(value) is dict else value:
            yield from _inside(each)


def _big(value: Any) -> bool:
    """Whether the value may hold the numbers of a picture. By its type: to ask strange objects may run their code."""
    kind = type(value)
    if issubclass(kind, np.ndarray):
        return bool(value.size >= PIXELS and value.dtype.kind in "biuf")
    if issubclass(kind, Tensor):
        return bool(value.numel() >= PIXELS and value.layout == torch.strided and value.device.type != "meta")
    if kind in (list, tuple):
        return len(value) >= PIXELS and len(value) % PIXELS == 0 and type(value[0]) in (int, float)
    return kind in (bytes, bytearray, str, array) and len(value) >= PIXELS and len(value) % PIXELS == 0


def _address(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.untyped_storage().data_ptr()
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        return int(value.__array_interface__["data"][0])
    return id(value)


class _Known:
    """Pictures as rows that can be compared with any numbers."""

    def __init__(self, pictures: npt.NDArray[np.uint8]) -> None:
        ways = [pictures, pictures[..., ::-1]]
        ways += [way.transpose(0, 2, 3, 1) for way in ways]
        self.rows = _standard(np.concatenate([way.reshape(len(way), -1) for way in ways]).astype(np.float32))

    def in_(self, value: Any) -> bool:
        """Whether an array holds a picture."""
        if isinstance(value, Tensor):
            shaped = not isinstance(value, nn.Parameter)  # a kernel may well be as large as a picture
            numbers = value.detach().cpu().float().numpy()
        elif isinstance(value, np.ndarray):
            shaped, numbers = True, value
        else:
            shaped, numbers = False, _numbers(value)
        if shaped and numbers.ndim >= 3 and numbers.shape[-3:] in {(3, SIZE, SIZE), (SIZE, SIZE, 3)}:
            return True
        if numbers.ndim > 1 and PIXELS < numbers.shape[-1] < 2 * PIXELS:  # beside its labels, say
            rows = numbers.reshape(-1, numbers.shape[-1])
            return self._among(rows[:, :PIXELS]) or self._among(rows[:, -PIXELS:])
        return numbers.size % PIXELS == 0 and self._among(numbers.reshape(-1, PIXELS))

    def _among(self, rows: npt.NDArray[Any]) -> bool:
        found = _standard(rows[:4096].astype(np.float32))
        return bool((np.abs(found @ self.rows.T) > ALIKE).any())


def _numbers(value: Any) -> npt.NDArray[Any]:
    """Return the numbers of plain values, a text's as its letters; none where they are no numbers."""
    try:
        if isinstance(value, str):
            return np.frombuffer(value.encode("latin-1"), dtype=np.uint8)
        if isinstance(value, (bytes, bytearray)):
            return np.frombuffer(value, dtype=np.uint8)
        found = np.array(value)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)
    return found if found.dtype.kind in "biuf" and found.ndim == 1 else np.empty(0)


def _standard(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return result
