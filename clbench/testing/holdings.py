"""Pictures that something in this process holds, wherever it does: in attributes, containers, closures, plugins."""

from __future__ import annotations

import gc
import sys
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
    """Yield every tensor, array and run of bytes that is held by anything, with the name of who holds it."""
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            yield from (
                (f"{module.__name__}.{name}", value) for name, value in list(vars(module).items()) if _big(value)
            )
    for holder in gc.get_objects():
        if issubclass(type(holder), Tensor) and _big(holder):
            yield f"a {type(holder).__name__.lower()}", holder
            continue
        if type(holder) is dict:
            found = [(f"'{name}'", value) for name, value in list(holder.items()) if _big(value)]
        else:
            found = [(f"a {type(holder).__name__}", value) for value in gc.get_referents(holder) if _big(value)]
        yield from found


def _big(value: Any) -> bool:
    """Whether the value may hold the numbers of a picture. By its type: to ask strange objects may run their code."""
    kind = type(value)
    if issubclass(kind, np.ndarray):
        return bool(value.size >= PIXELS and value.dtype.kind in "biuf")
    if issubclass(kind, Tensor):
        return bool(value.numel() >= PIXELS and value.layout == torch.strided and value.device.type != "meta")
    return kind in (bytes, bytearray) and len(value) >= PIXELS and len(value) % PIXELS == 0


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
            array = value.detach().cpu().float().numpy()
        elif isinstance(value, np.ndarray):
            shaped, array = True, value
        else:
            shaped, array = False, np.frombuffer(value, dtype=np.uint8)
        if shaped and array.ndim >= 3 and array.shape[-3:] in {(3, SIZE, SIZE), (SIZE, SIZE, 3)}:
            return True
        if array.size % PIXELS:
            return False
        rows = _standard(array.reshape(-1, PIXELS)[:4096].astype(np.float32))
        return bool((np.abs(rows @ self.rows.T) > ALIKE).any())


def _standard(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return result
