"""Small text files of data sets, read with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import msgspec

from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, read_given

T = TypeVar("T")
BOM = b"\xef\xbb\xbf"
"""UTF-8's byte order mark, which Windows likes to write."""


def read_text(path: Path, *, name: str) -> str:
    """Return the UTF-8 text of `path`. Raises DataError for a file that is missing or not UTF-8."""
    try:
        data = read_given(path, largest=LARGEST_TABLE)
    except FileNotFoundError as error:
        raise DataError(f"{name}: {path} is missing.", hint=f"clbench data get {name}") from error
    except OSError as error:
        raise DataError(f"{name}: {path} cannot be read ({error.strerror}).") from error
    return decode(data, path=path, name=name)


def decode(data: bytes, *, path: Path, name: str) -> str:
    """Return `data` as text, without a byte order mark. Raises DataError naming the first byte that is not UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{name}: {path} is UTF-16, expected UTF-8.", hint="Save the file as UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name}: {path}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8.", hint="Save the file as UTF-8."
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{name}: {path}, line {line}: a NUL byte; this is not a text file.")
    return text


def decode_json(data: bytes, kind: type[T]) -> T:
    """Return JSON as `kind`, also with a byte order mark, and with the NaN that Python writes into it.

    Raises msgspec.ValidationError for a field of another type, and ValueError or RecursionError for what is no JSON.
    """
    data = data.removeprefix(BOM)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        try:
            content = json.loads(data)
        except ValueError:
            raise error from None  # the message that names the byte
        return msgspec.convert(content, kind)
