"""Random numbers whose values no NumPy version changes: integers taken straight from the bits of a named PCG64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clbench.seeds import generator

_BLOCK = 128


class Dice:
    """A stream of random integers named by `parts`, the same numbers wherever and whenever it is opened.

    NumPy promises the bits of a bit generator for ever, but not what its distributions make of them.
    """

    def __init__(self, *parts: int | str) -> None:
        self._bits = generator(*parts).bit_generator
        self._left: list[int] = []

    def below(self, n: int) -> int:
        """Return an integer in 0 .. n-1."""
        if not self._left:
            # the upper half of the 64 bits is plenty: every n here is far below 2**32
            self._left = (self._raw(_BLOCK) >> np.uint64(32)).tolist()
        return self._left.pop() * n >> 32

    def between(self, low: int, high: int) -> int:
        """Return an integer in low .. high, both included."""
        return low + self.below(high - low + 1)

    def integers(self, n: int, *, count: int) -> npt.NDArray[np.int64]:
        """Return `count` integers in 0 .. n-1 as int64 [count]."""
        return ((self._raw(count) >> np.uint64(32)).astype(np.int64) * n) >> 32

    def permutation(self, n: int) -> npt.NDArray[np.int64]:
        """Return the numbers 0 .. n-1 in random order as int64 [n]."""
        return np.argsort(self._raw(n), kind="stable").astype(np.int64)

    def _raw(self, count: int) -> npt.NDArray[np.uint64]:
        raw: npt.NDArray[np.uint64] = self._bits.random_raw(count)
        return raw
