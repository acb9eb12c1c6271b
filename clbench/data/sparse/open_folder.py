"""A `.csr` folder opened: its arrays mapped, each looked through before anybody reads from it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace as replaced

from clbench.data.mapped_array import mapped_array
from clbench.data.sparse.labels import BLOCK, Entries
from clbench.data.sparse.table import SparseTable, sparse_table
from clbench.data.sparse.texts import NumberTexts
from clbench.data.table import check_labels
from clbench.errors import DataError, suggest
from clbench.files.given import LARGEST_ANY, LARGEST_TABLE, open_given, read_given

UNLISTED = {"absent": 0, "unknown": -1}
_PARTS = ("about", "starts", "columns", "marks", "test", "ids")
_TYPES = {"test": "bool", "starts": "int64", "columns": "int32", "marks": "int8"}
_CONTENT = "clbench.data.sparse.files says what such a folder holds; `write_csr` writes one."


class About(Struct, forbid_unknown_fields=True):
    """What about.json holds."""

    labels: list[str]
    unlisted: str
    digits: int = 0
    """How many digits an id has where ids are numbers; 0 where they are texts."""
    base: int = 10
    checks: dict[str, int] = {}
    """CRC-32 of each array's file, and of the rest of this one as `about`; empty in a folder that was made by hand."""


def open_csr(folder: Path, *, name: str = "") -> SparseTable:
    """Return what a `.csr` folder holds, its arrays mapped and checked. Raises DataError naming file and image."""
    name = name or folder.stem
    about = _about(folder, name=name)
    _check_written(folder, about, name=name)
    test = _array(folder, "test", name=name)
    starts = _array(folder, "starts", name=name)
    columns = _array(folder, "columns", name=name)
    marks = _array(folder, "marks", name=name) if (folder / "marks.npy").exists() else None
    entries = Entries(starts, columns, marks, len(about.labels), UNLISTED[about.unlisted])
    for split, there in (("train", not test.all()), ("test", test.any())):
        if not there:
            raise DataError(
                f"{name}: {folder / 'test.npy'} has no {split} images of {len(test):,}.",
                hint="Every table needs both splits; `test` is true for images that are for testing.",
            )
    _check(entries, len(test), folder=folder, name=name, labels=about.labels)
    ids = _ids(folder, about, count=len(test), name=name)
    labels = tuple(about.labels)
    return sparse_table(name, revision=name, labels=labels, ids=ids, paths=ids, entries=entries, test=np.asarray(test))


def _about(folder: Path, *, name: str) -> About:
    path = folder / "about.json"
    try:
        about = msgspec.json.decode(read_given(path, largest=LARGEST_TABLE), type=About)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{name}: {path} cannot be read: {told}.", hint=_CONTENT) from error
    if about.unlisted not in UNLISTED:
        raise DataError(
            f"{name}: {path}: unlisted is '{about.unlisted}'.{suggest(about.unlisted, UNLISTED)}",
            hint="What an image's row does not list is absent or unknown.",
        )
    if about.base not in (10, 16) or not 0 <= about.digits <= (16 if about.base == 16 else 18):
        raise DataError(
            f"{name}: {path}: ids of {about.digits} digits in base {about.base}.",
            hint="Ids are numbers of at most 18 digits in base 10, or 16 in base 16; longer ids are texts.",
        )
    strange = next((part for part in about.checks if part not in _PARTS), None)
    if strange is not None:
        raise DataError(
            f"{name}: {path}: checks has {strange!r}, expected {', '.join(_PARTS[:-1])} or {_PARTS[-1]}.", hint=_CONTENT
        )
    check_labels(f"{name}: {path}", tuple(about.labels))
    return about


def _check_written(folder: Path, about: About, *, name: str) -> None:
    """Raise DataError naming the file that is not as it was written; without checksums nothing is known."""
    for part, wanted in about.checks.items():
        path = folder / ("about.json" if part == "about" else f"{part}.npy")
        try:
            found = zlib.crc32(msgspec.json.encode(replaced(about, checks={}))) if part == "about" else checksum(path)
        except OSError as error:
            raise DataError(f"{name}: {path} cannot be read ({error.strerror or error}).", hint=_CONTENT) from error
        if found != wanted:
            raise DataError(
                f"{name}: {path}: it is not as it was written.",
                hint="Make the table again. If you changed it yourself, take `checks` out of about.json.",
            )


def checksum(path: Path) -> int:
    """Return the CRC-32 of a file's bytes."""
    found = 0
    with open_given(path, largest=LARGEST_ANY) as file:
        while block := file.read(1 << 22):
            found = zlib.crc32(block, found)
    return found


def _array(folder: Path, field: str, *, name: str) -> npt.NDArray[Any]:
    path = folder / f"{field}.npy"
    array = mapped_array(path, before=f"{name}: ", hint=_CONTENT)
    wanted = _TYPES.get(field, "whole numbers or texts")
    fits = array.dtype.kind in "iuU" if field == "ids" else array.dtype.newbyteorder("=") == wanted
    if array.ndim != 1 or not fits:
        raise DataError(f"{name}: {path} is {array.dtype} {list(array.shape)}, expected {wanted} [n].", hint=_CONTENT)
    return array


def _check(entries: Entries, count: int, *, folder: Path, name: str, labels: Sequence[str]) -> None:
    """Raise DataError unless rows lie inside the entries, rise, and hold columns and marks that there are."""
    starts, columns, marks = entries.starts, entries.columns, entries.marks
    if len(starts) != count + 1:
        raise DataError(
            f"{name}: {folder / 'starts.npy'} has {len(starts):,} numbers, expected {count + 1:,}: one more than "
            "test.npy has images.",
            hint=_CONTENT,
        )
    if marks is not None and len(marks) != len(columns):
        raise DataError(
            f"{name}: {folder / 'marks.npy'} has {len(marks):,} entries, columns.npy {len(columns):,}.", hint=_CONTENT
        )
    falling = np.flatnonzero(starts[1:] < starts[:-1])  # a difference could overflow
    if len(falling) or starts[0] != 0 or starts[-1] != len(columns):
        row = int(falling[0]) if len(falling) else 0 if starts[0] else count - 1
        raise DataError(
            f"{name}: {folder / 'starts.npy'}: image {row:,} has entries {int(starts[row]):,} to "
            f"{int(starts[row + 1]):,} of {len(columns):,}.",
            hint="starts begins with 0, rises, and ends with the number of entries.",
        )
    before = -1
    for first in range(0, len(columns), BLOCK):
        part = np.asarray(columns[first : first + BLOCK])
        outside = np.flatnonzero((part < 0) | (part >= entries.width))
        if len(outside):
            at = first + int(outside[0])
            raise DataError(
                f"{name}: {folder / 'columns.npy'}: image {_owner(starts, at):,} lists label {int(columns[at]):,}, and "
                f"there are {len(labels):,}, from 0.",
                hint="Columns are places in `labels` of about.json.",
            )
        falls = np.diff(part, prepend=before) <= 0
        begins = starts[np.searchsorted(starts, first) : np.searchsorted(starts, first + len(part))] - first
        falls[begins[begins < len(part)]] = False
        if falls.any():
            at = first + int(np.argmax(falls))
            raise DataError(
                f"{name}: {folder / 'columns.npy'}: image {_owner(starts, at):,} lists label {int(columns[at]):,} out "
                "of order or twice.",
                hint="The columns of an image rise: sort them, and keep each once.",
            )
        before = int(part[-1])
        strange = (
            np.empty(0) if marks is None else np.flatnonzero(np.abs(marks[first : first + BLOCK].astype(np.int16)) > 1)
        )
        if len(strange) and marks is not None:
            at = first + int(strange[0])
            raise DataError(
                f"{name}: {folder / 'marks.npy'}: image {_owner(starts, at):,} has the mark {int(marks[at])}, expected "
                "1, 0 or -1.",
                hint="1 is present, 0 absent, -1 unknown.",
            )


def _owner(starts: npt.NDArray[np.int64], entry: int) -> int:
    return int(np.searchsorted(starts, entry, side="right")) - 1


def _ids(folder: Path, about: About, *, count: int, name: str) -> NumberTexts | npt.NDArray[np.str_]:
    path = folder / "ids.npy"
    if not path.exists():
        digits = about.digits or 8
        if count > about.base**digits:
            raise DataError(
                f"{name}: {folder / 'about.json'}: digits is {digits}, and {count:,} images are counted from 0 in base "
                f"{about.base}.",
                hint=f"Ids of {len(str(count - 1))} digits hold them.",
            )
        return NumberTexts(np.arange(count, dtype=np.uint64), digits, about.base)
    ids = _array(folder, "ids", name=name)
    if len(ids) != count:
        raise DataError(
            f"{name}: {path} has {len(ids):,} ids, test.npy has {count:,} images.",
            hint="An id for each image, in the same order.",
        )
    if ids.dtype.kind == "U":
        texts = np.array(ids)
        odd = next((row for row, text in enumerate(texts.tolist()) if not text or not text.isprintable()), None)
        hint = "Ids are different printable texts."
        if odd is not None:
            raise DataError(f"{name}: {path}: image {odd:,} has the id {str(texts[odd])!r}.", hint=hint)
        kept, times = np.unique(texts, return_counts=True)
        if len(kept) < count:
            raise DataError(f"{name}: {path}: the id {str(kept[np.argmax(times)])!r} occurs twice.", hint=hint)
        return texts
    negative = ids.dtype.kind == "i" and int(ids.min()) < 0
    if negative or int(ids.max()) >= about.base**about.digits:
        row = int(np.argmin(ids) if negative else np.argmax(ids))
        raise DataError(
            f"{name}: {path}: image {row:,} has the id {int(ids[row])}, which is no number of {about.digits} digits in "
            f"base {about.base}.",
            hint="`digits` in about.json says how many an id has, at most 18, or 16 in base 16; longer ids are texts.",
        )
    numbers = ids.astype(np.uint64) if ids.dtype != np.uint64 else ids
    rising = np.asarray(numbers if (numbers[1:] > numbers[:-1]).all() else np.sort(numbers))
    twice = np.flatnonzero(rising[1:] == rising[:-1])
    if len(twice):
        raise DataError(
            f"{name}: {path}: the id {int(rising[twice[0]])} occurs twice.", hint="Each image has an id of its own."
        )
    return NumberTexts(numbers, about.digits, about.base)
