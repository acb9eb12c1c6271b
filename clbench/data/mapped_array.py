"""NumPy files that are mapped, opened with every error of theirs in one sentence."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError


def mapped_array(path: Path, *, hint: str, before: str = "") -> npt.NDArray[Any]:
    """Return the array in `path`, mapped; one without entries, which cannot be mapped, read.

    Raises DataError, whose text `before` stands ahead of, for a file that is missing, cut, longer than its array, none
    or of Python objects.
    """
    if not path.is_file():
        raise DataError(f"{before}{path}: no such file.", hint=hint)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header that names more bytes than there are numbers for
        try:
            array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, OverflowError, SyntaxError, MemoryError) as error:
            with contextlib.suppress(OSError, ValueError, EOFError, OverflowError, SyntaxError, MemoryError):
                empty: npt.NDArray[Any] = np.load(path, allow_pickle=False)
                if not empty.size:
                    return empty
            told = str(error).partition("\n")[0].rstrip(".")
            raise DataError(f"{before}{path} is not a whole NumPy array: {told}.", hint=hint) from error
    if not isinstance(array, np.memmap):
        array.close()
        raise DataError(f"{before}{path} holds several arrays, expected one.", hint=hint)
    behind = path.stat().st_size - int(array.offset) - array.nbytes
    if behind > 0:
        raise DataError(
            f"{before}{path} has {behind:,} bytes behind its array of {list(array.shape)}.",
            hint="A file that several arrays were saved into holds the first alone for who reads it: write one array.",
        )
    return array
