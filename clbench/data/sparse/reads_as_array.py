"""What is held otherwise and reads as the array that it stands for, made dense when somebody asks."""

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
