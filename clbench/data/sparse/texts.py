"""Ids that are numbers on disk and in memory, and texts of one length where somebody reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class NumberTexts:
    """Texts [n] that are numbers written with `width` digits in `base` 10 or 16: their order is that of the numbers.

    `before` and `after` stand around each. Indexing by one number gives a text, by anything else an array of texts.

    >>> texts = NumberTexts(np.array([10, 255], dtype=np.uint64), width=4, base=16)
    >>> texts[1], texts[np.array([0])].tolist(), texts.joined(np.array([1, 0]), b",")
    ('00ff', ['000a'], b'00ff,000a')
    """

    numbers: npt.NDArray[np.uint64]
    width: int
    base: int = 10
    before: str = ""
    after: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def shape(self) -> tuple[int]:
        """(n,)"""
        return (len(self.numbers),)

    @property
    def dtype(self) -> np.dtype[np.str_]:
        """That of the array of texts."""
        return np.dtype(f"<U{self.width + len(self.before) + len(self.after)}")

    def codes(self, rows: Any = slice(None)) -> npt.NDArray[np.uint8]:
        """Return the characters of the chosen texts, uint8 [n, length]."""
        left = np.array(self.numbers[rows], dtype=np.uint64)
        start, size = len(self.before), self.width
        out = np.empty((len(left), start + size + len(self.after)), dtype=np.uint8)
        out[:, :start] = np.frombuffer(self.before.encode(), dtype=np.uint8)
        out[:, start + size :] = np.frombuffer(self.after.encode(), dtype=np.uint8)
        base = np.uint64(self.base)
        for place in range(start + size - 1, start - 1, -1):
            out[:, place] = _DIGITS[left % base]
            left //= base
        return out

    def joined(self, rows: Any, mark: bytes) -> bytes:
        """Return the chosen texts with `mark` between them."""
        codes = self.codes(rows)
        marks = np.broadcast_to(np.frombuffer(mark, dtype=np.uint8), (len(codes), len(mark)))
        whole = np.concatenate([codes, marks], axis=1).tobytes()
        return whole[: len(whole) - len(mark)]

    def order(self) -> npt.NDArray[np.int64]:
        """Return the rows in the order of their texts."""
        numbers = np.asarray(self.numbers)
        if (numbers[1:] > numbers[:-1]).all():
            return np.arange(len(numbers), dtype=np.int64)
        return np.argsort(numbers, kind="stable").astype(np.int64)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, (int, np.integer)):
            return self.codes(np.array([rows])).tobytes().decode()
        return self.codes(rows).astype(np.uint32).view(self.dtype).reshape(-1)

    def __eq__(self, text: object) -> Any:
        return self[:] == text

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        texts: npt.NDArray[Any] = self[:]
        return texts if dtype is None else texts.astype(dtype)

    def tolist(self) -> list[str]:
        """Return all of them as a list of str."""
        found: list[str] = self[:].tolist()
        return found

    def astype(self, dtype: Any) -> npt.NDArray[Any]:
        """Return the numbers, or the texts, as an array of that type."""
        return np.asarray(self.numbers if np.dtype(dtype).kind in "iu" else self[:]).astype(dtype)


@dataclass(frozen=True, eq=False)
class SidedTexts:
    """Paths [n] such as test/00ff.jpg: numbers as `NumberTexts` has them, behind one of two folders.

    `second` [n] says which images lie in the second of `before`.

    >>> numbers, second = np.array([1, 255], dtype=np.uint64), np.array([False, True])
    >>> paths = SidedTexts(numbers, 4, 16, second, ("train/", "t/"), ".jpg")
    >>> paths[1], paths.tolist()
    ('t/00ff.jpg', ['train/0001.jpg', 't/00ff.jpg'])
    """

    numbers: npt.NDArray[np.uint64]
    width: int
    base: int
    second: npt.NDArray[np.bool_]
    before: tuple[str, str]
    after: str = ""

    def __len__(self) -> int:
        return len(self.numbers)

    def side(self, second: bool) -> NumberTexts:
        """Return all of them as if they lay in one folder."""
        return NumberTexts(self.numbers, self.width, self.base, self.before[second], self.after)

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, (int, np.integer)):
            return self.side(bool(self.second[rows]))[rows]
        return np.where(self.second[rows], self.side(True)[rows], self.side(False)[rows])

    def tolist(self) -> list[str]:
        """Return all of them as a list of str."""
        found: list[str] = self[:].tolist()
        return found
