"""Features in a Parquet file: lists of numbers, lists of such lists, or tensors of one shape.

Parquet cannot be mapped. A column is written once into the cache, with a checksum of each row.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.parquet_file import batches
from clbench.errors import DataError, ResultsError
from clbench.files.checked_rows import CheckedRows, writing_rows
from clbench.files.user_folders import cache_folder

_ALIKE = "Rows are of one shape, and no number is missing."


def float_columns(file: Any) -> list[str]:
    """Return the columns of an open Parquet file that can hold features."""
    return [field.name for field in file.schema_arrow if _is_of_floats(field.type)]


def unpacked(file: Any, column: str, *, path: Path) -> tuple[Path, tuple[int, ...]]:
    """Return where a column of the open Parquet file `path` lies as float32, and its shape [rows, ...].

    Raises DataError for a row of another shape than the first or with a number missing, ResultsError where the cache
    cannot be written.
    """
    stat = path.stat()
    key = f"{path.resolve()} {column} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
    kept = cache_folder() / "features" / f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.f32"
    shape = (int(file.metadata.num_rows), *_row_shape(file, column, path=path))
    if not kept_rows(kept, shape).is_there():
        _unpack(file, column, shape=shape[1:], path=path, to=kept)
    return kept, shape


def kept_rows(kept: Path, shape: tuple[int, ...]) -> CheckedRows:
    """Return what was unpacked, [rows, ...] of `shape`."""
    return CheckedRows(kept, count=shape[0], shape=shape[1:], kind=np.float32)


def _is_of_floats(kind: Any) -> bool:
    """Say whether an Arrow type is a list of floating-point numbers, of such lists, or a tensor of one shape."""
    from pyarrow import FixedShapeTensorType, types

    if isinstance(kind, FixedShapeTensorType):
        return bool(types.is_floating(kind.value_type))
    depth = 0
    while types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth > 0 and bool(types.is_floating(kind))


def _row_shape(file: Any, column: str, *, path: Path) -> tuple[int, ...]:
    """Return the shape of the first row of a column. Raises DataError where there is none, or it says nothing."""
    from pyarrow import FixedShapeTensorType

    kind = file.schema_arrow.field(column).type
    if isinstance(kind, FixedShapeTensorType):
        if kind.permutation is not None and list(kind.permutation) != sorted(kind.permutation):
            raise DataError(
                f"{path}: column {column!r} holds tensors whose axes are stored in the order {kind.permutation}.",
                hint="Write them in the order of their axes.",
            )
        return tuple(kind.shape)
    first = next((batch for batch in batches(path, file, columns=[column], size=1) if batch.num_rows), None)
    if first is None:
        raise DataError(f"{path}: column {column!r} has no rows.", hint=_ALIKE)
    shape, inside = list[int](), first.column(0)
    while hasattr(inside, "value_lengths"):
        lengths = inside.value_lengths()
        if not len(lengths) or lengths[0].as_py() is None:
            break
        shape.append(lengths[0].as_py())
        inside = inside.flatten()
    if hasattr(inside, "value_lengths") or not shape:
        raise DataError(f"{path}: column {column!r}, row 0: not a list of numbers as others are.", hint=_ALIKE)
    return tuple(shape)


def _unpack(file: Any, column: str, *, shape: tuple[int, ...], path: Path, to: Path) -> None:
    """Write a column of lists of one shape as float32 [rows, *shape], with a checksum of each row beside it."""
    first = 0
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        with writing_rows(to) as out:
            for batch in batches(path, file, columns=[column], size=4096):
                found, odd = _block(batch.column(0), shape)
                if odd is not None:
                    what = " x ".join(map(str, shape))
                    raise DataError(
                        f"{path}: column {column!r}, row {first + odd:,}: not a list of {what} numbers as others are.",
                        hint=_ALIKE,
                    )
                out.add(found)
                first += len(found)
    except OSError as error:
        raise ResultsError(
            f"{to}: the features of a Parquet file cannot be written ({error.strerror or error}).",
            hint="Make room or write access there, or name another folder with CLBENCH_CACHE.",
        ) from error


def _block(lists: Any, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], int | None]:
    """Return the rows of an Arrow array of lists as float32 [n, *shape], and the first that has not that shape."""
    count = len(lists)
    odd, owners = np.zeros(count, dtype=np.bool_), np.arange(count)
    tensors = hasattr(lists, "storage")  # of one shape, each stored as one list
    lists = lists.storage if tensors else lists
    for size in (math.prod(shape),) if tensors else shape:
        lengths = np.asarray(lists.value_lengths().fill_null(-1))
        odd[owners[lengths != size]] = True
        owners = np.repeat(owners, np.maximum(lengths, 0))
        lists = lists.flatten()
    odd[owners[np.asarray(lists.is_null())]] = True
    if odd.any():
        return np.empty((0, *shape), dtype=np.float32), int(np.argmax(odd))
    with np.errstate(over="ignore"):  # what float32 cannot hold is found with what is not finite
        return np.asarray(lists, dtype="<f4").reshape(count, *shape), None
