"""What tables of features share: rows without photos, and their numbers."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from clbench.data.importers.export import Entry, Export, split_of
from clbench.errors import DataError


def row_entry(file: str, number: int, place: str) -> Entry:
    """Return the entry of a row; its split is that of the file's name."""
    stem = PurePosixPath(file).stem
    return Entry(f"{stem}/{number:06d}", place, split=split_of(stem))


def number(text: str, place: str) -> float:
    """Return a feature. Raises DataError for what is no finite number."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise DataError(f"{place}: feature {text!r}, expected a number.", hint="Fill in what is missing first.")
    return value


def with_features(export: Export, blocks: list[npt.NDArray[np.float32]]) -> Export:
    """Return the export with the features of its files, [rows, features].

    Raises DataError where files differ in their number of features.
    """
    if len({block.shape[1] for block in blocks}) > 1:
        raise DataError(f"{', '.join(export.read)}: the files have other numbers of features.")
    export.features = np.concatenate(blocks)
    return export
