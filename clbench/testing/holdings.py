"""Pictures that something in this process holds, wherever it does: in attributes, containers, closures, plugins."""

from __future__ import annotations

import ctypes
import functools
import gc
import io
import itertools
import sys
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from mmap import mmap
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
SAME = 0.9995
"""Correlation from which a few numbers are a line of a picture."""
FEWEST = SIZE * SIZE
"""Numbers from which a value is looked at: one colour of a picture."""
_CONTAINERS = (list, tuple, deque, dict, set, frozenset)
PART = 1 << 18
"""Numbers that are compared together."""


_BEFORE: tuple[frozenset[int], tuple[Any, ...]] = frozenset(), ()
"""Which long texts modules held before anything was to be found, and these themselves: no other gets their places."""


def freeze() -> None:
    """Let nothing that is here now be looked for: what the collector knows, and texts of modules, which cannot change.

    They are most of what a process holds that has imported much. Arrays are looked at all the same, as they are written
    to in place.
    """
    global _BEFORE
    modules = [vars(module) for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    texts = tuple(v for values in modules for v in list(values.values()) if type(v) in (str, bytes) and _big(v))
    _BEFORE = frozenset(map(id, texts)), texts
    gc.freeze()


def pictures_held(pictures: npt.NDArray[np.uint8], *, except_for: Iterable[Any] = ()) -> str:
    """Return what holds pictures made since `freeze()`, or "".

    `pictures` uint8 [n, 3, 16, 16] are those to look for; arrays `except_for` hold them rightly. Found are arrays that
    have a picture's shape, and those of any shape whose numbers are a picture's.
    """
    return Search(pictures).held(except_for=except_for)


class Search:
    """Looks for the same pictures again and again; what was no picture once is compared no second time."""

    def __init__(self, pictures: npt.NDArray[np.uint8]) -> None:
        self._pictures = pictures
        self._known = _Known(pictures)

    def held(self, *, except_for: Iterable[Any] = ()) -> str:
        """Return what holds one of the pictures now, or ""."""
        known = self._known
        rightly = {_address(array) for array in (self._pictures, known.rows, known.lines, *except_for)}
        with np.errstate(over="ignore", invalid="ignore"):  # there are numbers of any size
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
        if (issubclass(type(holder), Tensor) or type(holder) in _CONTAINERS) and _big(holder):
            yield f"a {type(holder).__name__.lower()}", holder
        if type(holder) is dict:
            yield from _named(holder, "'{}'")
        else:
            for value in gc.get_referents(holder):
                if _may_hold(value):
                    yield from ((f"a {type(holder).__name__}", found) for found in _inside(value))


def _named(values: dict[Any, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, value in list(values.items()):
        if _may_hold(value) and id(value) not in _BEFORE[0]:
            yield from ((name.format(key), found) for found in _inside(value))
        if _may_hold(key):
            yield from ((name.format(key), found) for found in _inside(key))


def _may_hold(value: Any) -> bool:
    """Whether it is worth a closer look. There are hundreds of thousands of values, nearly all short texts and code."""
    kind: Any = type(value)
    return len(value) >= FEWEST if kind is str else _holds(kind)


@functools.cache
def _holds(kind: Any) -> bool:
    """Whether values of this type may hold the numbers of a picture, or what does."""
    return issubclass(kind, (np.ndarray, Tensor)) or kind in _CONTAINERS or _is_buffer(kind)


def _inside(value: Any) -> Iterator[Any]:
    """Yield the value if it is big, or what is in a container that Python's collector does not know.

    It keeps no list of dicts and tuples that hold nothing but arrays, bytes, texts and numbers; all others come by
    themselves.
    """
    if _big(value) and not (type(value) in _CONTAINERS and gc.is_tracked(value)):
        yield value
    if type(value) in (dict, tuple) and not gc.is_tracked(value):
        for each in (*value, *value.values()) if type(value) is dict else value:
            if _may_hold(each):
                yield from _inside(each)


def _big(value: Any) -> bool:
    """Whether the value may hold the numbers of a picture. By its type: to ask strange objects may run their code."""
    kind: Any = type(value)
    if issubclass(kind, np.ndarray):
        return bool(_whole(value).nbytes >= FEWEST)
    if issubclass(kind, Tensor):
        return bool(value.device.type != "meta" and value.numel() >= FEWEST)
    if kind in _CONTAINERS:
        return len(value) > 0 and (len(value) >= FEWEST or type(next(iter(value))) in (list, tuple))
    return (kind is str or _is_buffer(kind)) and _length(value) >= FEWEST


@functools.cache
def _is_buffer(kind: type) -> bool:
    """Whether objects of this type are numbers in a row that any library may read, or pictures of Pillow."""
    ours = (bytes, bytearray, memoryview, array, mmap, io.BytesIO, torch.UntypedStorage, ctypes.Array)
    return issubclass(kind, ours) or (str(kind.__module__).startswith("PIL.") and hasattr(kind, "tobytes"))


def _length(value: Any) -> int:
    if isinstance(value, io.BytesIO):
        return 0 if value.closed else value.getbuffer().nbytes
    if isinstance(value, mmap) and value.closed:
        return 0
    return len(value) if hasattr(value, "__len__") else PIXELS


def _whole(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array that a view shows a part of."""
    while isinstance(value.base, np.ndarray):
        value = value.base
    return np.asarray(value)


def _address(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.untyped_storage().data_ptr() if value.layout == torch.strided and not value.is_nested else 0
    if isinstance(value, np.ndarray):
        return int(_whole(value).__array_interface__["data"][0])
    return id(value)


class _Known:
    """Pictures as rows that can be compared with any numbers."""

    def __init__(self, pictures: npt.NDArray[np.uint8]) -> None:
        ways = [pictures, pictures[..., ::-1]]
        ways += [way.transpose(0, 2, 3, 1) for way in ways]
        self.rows = _standard(np.concatenate([way.reshape(len(way), -1) for way in ways]).astype(np.float32))
        row, column = pictures[:, 1, SIZE // 2], pictures[:, 1, :, SIZE // 2]
        mixed = [way[:, :, SIZE // 2].transpose(0, 2, 1).reshape(len(way), -1)[:, :SIZE] for way in _turned(pictures)]
        lines = [row, row[:, ::-1], column, column[:, ::-1], *mixed]
        self.lines = _standard(np.concatenate(lines).astype(np.float32))
        self.codes = np.zeros(1 << SIZE, dtype=np.bool_)
        """By which numbers of a line lie above their mean: whether a line of a picture may be such a one."""
        for unsure in itertools.product((False, True), repeat=2):
            above = self.lines > 0
            for place, turn in zip(np.argsort(np.abs(self.lines), axis=1)[:, :2].T, unsure, strict=True):
                above[np.arange(len(above)), place] ^= turn
            self.codes[_code(above)] = self.codes[_code(~above)] = True
        self._others: set[bytes] = set()
        """Digests of numbers that hold no picture."""

    def in_(self, value: Any) -> bool:
        """Whether a value holds a picture: as an array of its shape, alone, or anywhere in a row of numbers."""
        # a kernel may well be as large as a picture
        shaped = isinstance(value, (Tensor, np.ndarray)) and not isinstance(value, nn.Parameter)
        return any(self._compared(numbers, shaped=shaped) for numbers in _numbers(value))

    def _compared(self, numbers: npt.NDArray[Any], *, shaped: bool) -> bool:
        kind = repr((numbers.dtype.str, numbers.shape, shaped)).encode()
        digest = blake2b(kind + np.ascontiguousarray(numbers).tobytes(), digest_size=20).digest()
        if digest in self._others:
            return False
        found = self._holds(numbers, shaped=shaped)
        if not found:
            self._others.add(digest)
        return found

    def _holds(self, numbers: npt.NDArray[Any], *, shaped: bool) -> bool:
        if shaped and numbers.ndim >= 3 and numbers.shape[-3:] in {(3, SIZE, SIZE), (SIZE, SIZE, 3)}:
            return True
        flat = numbers.reshape(-1).astype(np.float32)
        whole = flat.size % PIXELS == 0 and flat.size > 0 and self._among(flat.reshape(-1, PIXELS))
        return whole or any(self._has_line(flat[first : first + PART]) for first in range(0, flat.size, PART - SIZE))

    def _among(self, rows: npt.NDArray[Any]) -> bool:
        return bool((np.abs(_standard(rows[:4096]) @ self.rows.T) > ALIKE).any())

    def _has_line(self, flat: npt.NDArray[np.float32]) -> bool:
        """Whether a line of a picture stands anywhere among the numbers."""
        if flat.size < SIZE:
            return False
        windows = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(flat), SIZE)
        likely = np.flatnonzero(self.codes[_code(windows > windows.mean(axis=1, keepdims=True))])
        found = (np.abs(_standard(windows[likely[i : i + 4096]]) @ self.lines.T) for i in range(0, likely.size, 4096))
        return any(bool((each > SAME).any()) for each in found)


def _turned(pictures: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Return pictures as they are, mirrored, with colours in the other order, and both."""
    return [way[..., ::step] for way in (pictures, pictures[:, ::-1]) for step in (1, -1)]


def _code(above: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    found: npt.NDArray[np.intp] = above @ (1 << np.arange(SIZE))
    return found


def _numbers(value: Any) -> Iterator[npt.NDArray[Any]]:
    """Yield the numbers of a value: a text's as its letters, those of bytes and larger whole numbers as bytes too."""
    try:
        if isinstance(value, Tensor):
            yield _dense(value.detach()).cpu().float().numpy()
        elif isinstance(value, np.ndarray):
            yield from _of_array(_whole(value))
        elif isinstance(value, str):
            yield np.frombuffer(value.encode("latin-1"), dtype=np.uint8)
        elif isinstance(value, _CONTAINERS):
            yield np.array(_flat(value.values() if isinstance(value, dict) else value), dtype=np.float32)
        elif isinstance(value, array):
            yield np.array(value)
        elif isinstance(value, torch.UntypedStorage):
            yield torch.empty(0, dtype=torch.uint8).set_(value).numpy()
        elif isinstance(value, io.BytesIO):
            yield np.frombuffer(value.getvalue(), dtype=np.uint8)
        elif hasattr(value, "tobytes") and not isinstance(value, memoryview):
            yield np.frombuffer(value.tobytes(), dtype=np.uint8)
        else:
            yield np.frombuffer(bytes(value), dtype=np.uint8)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return


def _dense(value: Tensor) -> Tensor:
    """Return the numbers of a tensor of any layout."""
    if value.is_nested:
        value = value.values()
    elif value.layout == torch.sparse_coo:
        value = value._values()
    elif value.layout != torch.strided:
        value = value.values()
    value = value.int_repr() if value.is_quantized else value
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


def _of_array(value: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    kind = value.dtype.kind
    if value.dtype.names:
        for name in value.dtype.names:
            yield from _of_array(value[name])
    elif kind == "O":
        yield np.array(_flat(value.reshape(-1).tolist()), dtype=np.float32)
    elif kind == "c":
        yield from (value.real, value.imag)
    elif kind in "biuf":
        yield value
    if not value.dtype.hasobject and kind not in "bf" and value.dtype.itemsize > 1:
        yield np.frombuffer(value.tobytes(), dtype=np.uint8)


def _flat(values: Iterable[Any]) -> list[float]:
    """Return the numbers in nested containers, one after the other; whatever else is there is left out."""
    found: list[float] = []
    for value in values:
        if type(value) in (int, float) or isinstance(value, np.number):
            found.append(value)
        elif type(value) in (list, tuple, deque):
            found += _flat(value)
    return found


def _standard(rows: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    rows = rows.astype(np.float32) - rows.mean(axis=1, keepdims=True, dtype=np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return result
