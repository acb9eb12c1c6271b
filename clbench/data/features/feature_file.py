"""A file of features, one row for each row of a label table: NumPy, safetensors or Parquet, mapped and never loaded.

`x.npy` holds one array; of `x.safetensors` the only tensor is meant, or `x.safetensors#NAME`; of `x.parquet` the only
column of lists of numbers, or `x.parquet#COLUMN`. A row is a vector [d], tokens [t, d] or a map [c, h, w].
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option
from clbench.data.features.parquet_features import float_columns, kept_rows, unpacked
from clbench.data.mapped_array import mapped_array
from clbench.data.parquet_file import open_parquet
from clbench.data.shards.named_files import files_named, matching
from clbench.errors import DataError, suggest

BLOCK = 32 << 20
"""Bytes that are looked at together."""
BUFFER = Option(
    "buffer",
    "0",
    "with features or shards: read the files from end to end, through a buffer of so many images (0: in any order)",
    kind="count",
)
LANES = Option(
    "lanes",
    "1",
    "with buffer: read so many files at once, in turns; processes that share a run then read files of their own",
    kind="count",
)
_BRAIN = "bfloat16"
_SAFETENSORS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}
_DIGITS = re.compile(r"([0-9]+)")
_AGAIN = "Write or fetch it again."
_HINT = "A row is a vector [d], tokens [t, d] or a map [c, h, w] of floating-point numbers."


@dataclass(frozen=True)
class FeatureFile:
    """Where an array [rows, ...] of features lies: its type, its shape, and its first byte in `path`."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    source: Path | None = None
    """The file that was named, where `path` is what was unpacked from it."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.source or self.path)

    @property
    def row_bytes(self) -> int:
        """What the features of one row take in the file."""
        return int(np.prod(self.shape[1:])) * (2 if self.dtype == _BRAIN else np.dtype(self.dtype).itemsize)

    def reader(self) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[Any]]:
        """Return what reads rows [n] of the array, mapped anew; bfloat16 as its bits.

        What was unpacked is compared with its checksums: reading raises DataError where a row is not as it was written.
        """
        if self.source is not None:
            return kept_rows(self.path, self.shape).read
        stored = "<u2" if self.dtype == _BRAIN else self.dtype
        mapped = np.memmap(self.path, dtype=stored, mode="r", offset=self.offset, shape=self.shape)
        return lambda rows: mapped[rows]

    def numbers(self, block: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return rows of the array as float32, a copy in their shape."""
        if self.dtype == _BRAIN:
            return (block.astype(np.uint32) << 16).view(np.float32)
        return block.astype(np.float32)

    def stamp(self) -> str:
        """Return what changes when the file does: its size and times, and the array in it."""
        stat = self.path.stat()
        return f"{self.path} {self.dtype} {self.shape} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


@dataclass(frozen=True)
class Features:
    """The features of a table: one file, or several of one shape and type (shards) whose rows follow each other."""

    files: tuple[FeatureFile, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """[rows of all files, ...]"""
        return (sum(file.shape[0] for file in self.files), *self.files[0].shape[1:])

    @property
    def row_bytes(self) -> int:
        """What the features of one row take."""
        return self.files[0].row_bytes

    @property
    def name(self) -> str:
        """What messages call them."""
        return self.files[0].name + (f" and {len(self.files) - 1} more files" if len(self.files) > 1 else "")

    def starts(self) -> npt.NDArray[np.int64]:
        """Return the first row of each file, [files]."""
        return np.cumsum([0, *(file.shape[0] for file in self.files[:-1])])

    def stamp(self) -> str:
        """Return what changes when a file does."""
        return "\n".join(file.stamp() for file in self.files)


def find_features(root: Path, named: str, *, name: str) -> Features:
    """Return the files that the option `features` of table `name` means, `named` being relative to `root`.

    A `*` in the name stands for any characters: all such files, in the order of their names; `{000..099}` for a range,
    all of which is there. Raises DataError for a file that is missing, cut, of another form, unlike the first of
    several, or holds no features, and where the order of names is not that of the numbers in them.
    """
    file, _, part = named.partition("#")
    paths = [root / file]
    if "*" in file:
        paths = matching(root, file, what=f"{name}: option features")
        _refuse_two_orders(paths, named=named, name=name)
    elif "{" in file:
        paths = files_named(root, file, what=f"{name}: option features")
    files = tuple(_opened(path, part, named=named, name=name) for path in paths)
    if not files:
        raise DataError(f"{name}: option features: {root / file}: no such files.", hint="They lie beside the table.")
    first = Path(files[0].name).name
    for other in files[1:]:
        if (other.dtype, other.shape[1:]) != (files[0].dtype, files[0].shape[1:]):
            raise DataError(
                f"{name}: {other.name} has rows {list(other.shape[1:])} of {other.dtype}, {first} has "
                f"{list(files[0].shape[1:])} of {files[0].dtype}.",
                hint="Files that follow each other have rows of one shape and type: write them alike.",
            )
    return Features(files)


def _refuse_two_orders(paths: list[Path], *, named: str, name: str) -> None:
    """Raise DataError where files stand in another order by their numbers than by their names: x-10 before x-2."""
    numbered = sorted(paths, key=_by_number)
    for one, other in zip(paths, numbered, strict=True):
        if one != other:
            raise DataError(
                f"{name}: option features is '{named}': by name {one.name} comes before {other.name}, by number "
                "behind it.",
                hint="Write the numbers with as many digits each (x-02, x-10), or name a range in its order: "
                "x-{0..11}.npy",
            )


def _by_number(path: Path) -> list[str | int]:
    return [int(word) if word.isdecimal() else word for word in _DIGITS.split(str(path))]


def _opened(path: Path, part: str, *, named: str, name: str) -> FeatureFile:
    openers: dict[str, Callable[[Path, str], FeatureFile]] = {
        ".npy": _numpy, ".safetensors": _safetensors, ".parquet": _parquet
    }  # fmt: skip
    opener = openers.get(path.suffix.lower())
    if opener is None:
        raise DataError(
            f"{name}: option features is '{named}', expected a file that ends in {', '.join(openers)}.", hint=_HINT
        )
    if not path.is_file():
        raise DataError(f"{name}: option features: {path}: no such file.", hint="It is named from the table's folder.")
    try:
        found = opener(path, part)
    except DataError as error:
        raise DataError(f"{name}: {error.message}", hint=error.hint) from error
    if len(found.shape) not in (2, 3, 4) or 0 in found.shape[1:]:
        raise DataError(f"{name}: {path}: features of shape {list(found.shape)}.", hint=_HINT)
    if found.shape[0] * found.row_bytes + found.offset > found.path.stat().st_size:
        raise DataError(f"{name}: {path} is cut: {list(found.shape)} numbers do not fit into it.", hint=_AGAIN)
    return found


def check_rows(features: Features, *, rows: int, table: str, name: str) -> None:
    """Raise DataError unless there are `rows` rows, all of finite numbers; `table` is what has the labels."""
    if features.shape[0] != rows:
        raise DataError(
            f"{name}: {features.name} has {features.shape[0]:,} rows, {table} has {rows:,}.",
            hint="Row by row they are the same examples, in the same order.",
        )
    for file in features.files:
        _check_finite(file, name=name)


def _check_finite(file: FeatureFile, *, name: str) -> None:
    step = max(1, BLOCK // max(1, int(np.prod(file.shape[1:])) * 4))
    for first in range(0, file.shape[0], step):
        with np.errstate(over="ignore", invalid="ignore"):
            rows = np.arange(first, min(first + step, file.shape[0]))
            block = file.numbers(file.reader()(rows))  # mapped anew: what was read may leave memory
            if np.isfinite(block.sum()):
                continue
        finite = np.isfinite(block).reshape(len(block), -1).all(axis=1)
        if not finite.all():
            raise DataError(
                f"{name}: {file.name}: row {first + int(np.argmin(finite)):,} holds a number that is not finite in "
                "float32.",
                hint="Fill in what is missing, or leave the row out of both files.",
            )


def _numpy(path: Path, part: str) -> FeatureFile:
    if part:
        raise DataError(
            f"{path}: a .npy file has no parts, and '#{part}' names one.", hint=f"Name the file alone: {path.name}"
        )
    mapped = mapped_array(path, hint=_HINT)
    if mapped.dtype.kind != "f":
        raise DataError(
            f"{path}: {mapped.dtype}, expected floating point.", hint=f"{_HINT} x.astype('float32') makes them such."
        )
    if not mapped.flags.c_contiguous:
        raise DataError(
            f"{path}: stored column by column.", hint="Write it with np.save(file, np.ascontiguousarray(x))."
        )
    return FeatureFile(path, mapped.dtype.str, mapped.shape, int(getattr(mapped, "offset", 0)))


def _safetensors(path: Path, part: str) -> FeatureFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}.", hint=_AGAIN) from error
    chosen = _one(path, names, part, what="tensor")
    with path.open("rb") as raw:
        length = int.from_bytes(raw.read(8), "little")
        about = json.loads(raw.read(length))[chosen]
    kind = _SAFETENSORS.get(about["dtype"])
    if kind is None:
        raise DataError(f"{path}: tensor {chosen!r} is {about['dtype']}, expected floating point.", hint=_HINT)
    dtype = _BRAIN if about["dtype"] == "BF16" else kind
    return FeatureFile(path, dtype, tuple(about["shape"]), 8 + length + int(about["data_offsets"][0]))


def _parquet(path: Path, part: str) -> FeatureFile:
    file = open_parquet(path)
    column = _one(path, float_columns(file), part, what="floating-point list column")
    kept, shape = unpacked(file, column, path=path)
    return FeatureFile(kept, "<f4", shape, 0, source=path)


def _one(path: Path, names: list[str], part: str, *, what: str) -> str:
    if part and part not in names:
        listed = ", ".join(sorted(names)[:8]) or "none"
        raise DataError(f"{path}: there is no {what} '{part}'.{suggest(part, names)}", hint=f"There is: {listed}.")
    if not part and len(names) != 1:
        listed = f": {', '.join(sorted(names)[:8])}" if names else ""
        hint = f"Name one of them: {path.name}#NAME" if names else _HINT
        raise DataError(f"{path} holds {len(names)} {what}s{listed}.", hint=hint)
    return part or names[0]
