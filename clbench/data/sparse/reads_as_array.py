"""Labels that are held otherwise and read as the array that they stand for, made dense when somebody asks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin


class ReadsAsArray(NDArrayOperatorsMixin):
    """Gives NumPy, and whoever asks for a method of arrays, what `dense()` returns."""

    def dense(self) -> npt.NDArray[Any]:
        """Return the array."""
        raise NotImplementedError

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        raise NotImplementedError

    @property
    def dtype(self) -> np.dtype[np.int8]:
        """int8, as in a dense table."""
        return np.dtype(np.int8)

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    @property
    def size(self) -> int:
        """How many entries the dense matrix would have."""
        return self.shape[0] * self.shape[1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self.dense() if dtype is None else self.dense().astype(dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [np.asarray(one) if isinstance(one, ReadsAsArray) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __getattr__(self, name: str) -> Any:
        # sum, any, copy, tolist and the like; not what Python itself or NumPy looks for before it asks for an array
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.dense(), name)
