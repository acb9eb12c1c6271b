"""Parquet files, opened and read with every error of theirs in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clbench.errors import DataError
from clbench.files.given import LARGEST_ANY, look_at

_AGAIN = "Remove the file and fetch it again."


def open_parquet(path: Path) -> Any:
    """Return a `pyarrow.parquet.ParquetFile`. Raises DataError for one that is cut or none, and without pyarrow."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DataError(f"{path}: reading Parquet needs pyarrow.", hint="pip install -e '.[shards]'") from None
    from pyarrow import ArrowException

    try:
        look_at(path, largest=LARGEST_ANY)
        return pq.ParquetFile(path, page_checksum_verification=True)  # of pages that have a checksum
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: cut, or not a Parquet file: {_first_line(error)}.", hint=_AGAIN) from error


def batches(path: Path, opened: Any, *, columns: list[str], size: int) -> Iterator[Any]:
    """Yield the record batches of some columns. Raises DataError where they cannot be read."""
    from pyarrow import ArrowException

    try:
        yield from opened.iter_batches(batch_size=size, columns=columns, use_threads=False)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read: {_first_line(error)}.", hint=_AGAIN) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
