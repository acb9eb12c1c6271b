"""The pictures of one shard: under which names, and at which bytes of which file, they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError

ENDINGS = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff")
MAX_BYTES = 500_000_000
"""The largest picture that is read, as among loose files."""


@dataclass(frozen=True)
class Shard:
    """Pictures in the order in which they lie in `file`, which is `source` or what was unpacked from it.

    `names` and `keys` are UTF-8 [n], `first` and `sizes` int64 [n]: bytes of the file. `checks` are CRC-32 [n] of what
    was unpacked, and empty for what lies in the source itself.
    """

    source: Path
    file: Path
    names: npt.NDArray[np.bytes_]
    keys: npt.NDArray[np.bytes_]
    first: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    checks: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.names)


def split_name(path: str) -> tuple[str, str]:
    """Return the key of a member and what it is of it, in small letters, as WebDataset has it.

    >>> split_name("train/n01.0042.JPG"), split_name("a.cls"), split_name("README")
    (('train/n01', '0042.jpg'), ('a', 'cls'), ('README', ''))
    """
    folder, slash, name = path.rpartition("/")
    stem, _, ending = name.partition(".")
    return folder + slash + stem, ending.lower()


def as_bytes(texts: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Return texts as UTF-8, [n]."""
    return np.array([text.encode() for text in texts], dtype=np.bytes_)


def check_pictures(path: Path, names: Sequence[str], keys: Sequence[str], sizes: Sequence[int]) -> None:
    """Raise DataError for a shard without pictures, a key that is there twice, and a size that no picture has."""
    if not names:
        raise DataError(
            f"{path} holds no pictures.", hint=f"They are members called KEY.{ENDINGS[0]}, a key without a dot."
        )
    seen: dict[str, str] = {}
    for name, key, size in zip(names, keys, sizes, strict=True):
        if key in seen:
            raise DataError(
                f"{path}: the key {key!r} is there twice: {seen[key]} and {name}.",
                hint="A key is of one picture; write the shard again.",
            )
        seen[key] = name
        if not 0 < size <= MAX_BYTES:
            raise DataError(
                f"{path}: {name} has {size:,} bytes; pictures have 1 to {MAX_BYTES:,}.", hint="Write the shard again."
            )
