"""A few bytes that remember a set well enough to name an element that came or went.

A set of texts, each with a number, is spread over cells by a hash: half of the elements go to the first cell, a quarter
to the second, and so on. A cell is the exclusive or of its elements. Two sketches differ by the exclusive or of exactly
those elements that only one of the sets has; a cell with one such element shows it. A single difference is always
found, and about two in three times one of many is (the cells are the strata of Eppstein et al., SIGCOMM 2011).
"""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.texts import NumberTexts

CELLS = 12
_DIGITS = 17
_NUMBER = 1 << 63
_HASHED = 1 << 62
_VALUE = (1 << 57) - 1
_PLAIN = np.dtype([("key", "<u8"), ("check", "<u2")])
_NUMBERED = np.dtype([("key", "<u8"), ("number", "<u2"), ("check", "<u2")])


def keys(ids: npt.NDArray[np.str_] | NumberTexts) -> npt.NDArray[np.uint64]:
    """Return one 64-bit key for each id; `text_of` reads ids of up to 17 digits, or 7 characters, back from it.

    Both are [n].
    """
    if isinstance(ids, NumberTexts):
        if ids.base == 10 and ids.width <= _DIGITS and not ids.before + ids.after:
            return np.asarray(ids.numbers, dtype=np.uint64) | np.uint64(_NUMBER | ids.width << 57)
        return np.array([_key(text) for text in ids.tolist()], dtype=np.uint64)
    codes = np.ascontiguousarray(ids).view(np.uint32).reshape(len(ids), ids.dtype.itemsize // 4)
    # one length and digits only, as in most data sets, needs no loop
    if len(ids) and codes.shape[1] <= _DIGITS and codes.min() >= ord("0") and codes.max() <= ord("9"):
        return ids.astype(np.int64).astype(np.uint64) | np.uint64(_NUMBER | codes.shape[1] << 57)
    return np.array([_key(text) for text in ids.tolist()], dtype=np.uint64)


def sketch(key: npt.NDArray[np.uint64], *, number: npt.NDArray[np.int64] | None = None) -> str:
    """Return the sketch of the elements (key, number) as base64 text; numbers are 0 to 65,535, or left out.

    `key` and `number` are [n].
    """
    numbers = np.zeros(len(key), np.uint64) if number is None else number.astype(np.uint64)
    cell, check = _place(key, numbers)
    cells = np.zeros(CELLS, _PLAIN if number is None else _NUMBERED)
    order = np.argsort(cell, kind="stable")
    present, starts = np.unique(cell[order], return_index=True)
    if len(present):
        values = {"key": key, "number": numbers, "check": check}
        for field in cells.dtype.names or ():
            cells[field][present] = np.bitwise_xor.reduceat(values[field][order], starts)
    return base64.b64encode(cells.tobytes()).decode()


def differences(one: str, other: str) -> list[tuple[int, int]]:
    """Return the elements (key, number) that can be read off and are in only one of two sketches' sets.

    The number is 0 where it was left out. Raises ValueError for a text that is not a sketch.
    """
    a, b = (base64.b64decode(text, validate=True) for text in (one, other))
    kind = {CELLS * dtype.itemsize: dtype for dtype in (_PLAIN, _NUMBERED)}.get(len(a))
    if len(a) != len(b) or kind is None:
        raise ValueError("not a sketch")
    cells = np.frombuffer(bytes(x ^ y for x, y in zip(a, b, strict=True)), kind)
    key = cells["key"].astype(np.uint64)
    number = cells["number"].astype(np.uint64) if kind is _NUMBERED else np.zeros(CELLS, np.uint64)
    place, check = _place(key, number)
    pure = (place == np.arange(CELLS)) & (check == cells["check"])
    return list(zip(key[pure].tolist(), number[pure].tolist(), strict=True))


def text_of(key: int) -> str:
    """Return the id that `key` spells out, or an empty text where the key is a hash or nonsense."""
    if key & _NUMBER:
        digits = key >> 57 & 31
        text = f"{key & _VALUE:0{digits}d}"
        return text if len(text) == digits else ""
    raw = b"" if key & _HASHED else key.to_bytes(8, "little").rstrip(b"\0")
    text = raw.decode(errors="replace")
    return text if text.isprintable() and "\ufffd" not in text else ""


def _key(text: str) -> int:
    raw = text.encode()
    if raw.isdigit() and len(raw) <= _DIGITS:
        return _NUMBER | len(raw) << 57 | int(raw)
    if len(raw) < 8:
        return int.from_bytes(raw, "little")
    return _HASHED | int.from_bytes(hashlib.sha256(raw).digest()[:7], "little")


def _place(
    key: npt.NDArray[np.uint64], number: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    mixed = _mix(key ^ _mix(number + np.uint64(1)))
    low = mixed & np.uint64((1 << (CELLS - 1)) - 1) | np.uint64(1 << (CELLS - 1))
    # the lowest set bit of a number is a power of two, whose logarithm is exact
    cell = np.log2((low & (~low + np.uint64(1))).astype(np.float64)).astype(np.int64)
    return cell, mixed >> np.uint64(48)


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele et al., OOPSLA 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
