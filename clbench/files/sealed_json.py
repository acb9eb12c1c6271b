"""JSON files with a digest of what they say, so that a changed bit is no other number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clbench.errors import ResultsError
from clbench.files.yaml_text import digest

SEAL = "sha256"


def sealed(value: Mapping[str, Any], *, indent: int = 0) -> bytes:
    r"""Return a mapping as JSON, with the sha256 over all of it under the key `SEAL`.

    >>> sealed({"a": 1})
    b'{"a":1,"sha256":"015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"}\n'
    """
    plain: dict[str, Any] = msgspec.to_builtins(value)
    text = msgspec.json.encode(plain | {SEAL: digest(plain)})
    return (msgspec.json.format(text, indent=indent) if indent else text) + b"\n"


def unsealed(text: bytes, *, bare: bool = False) -> dict[str, Any]:
    """Return the mapping without its seal. Raises ResultsError where it is not as it was written.

    With `bare` a mapping that has no seal passes: files of an earlier version have none.
    """
    try:
        plain = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ResultsError(f"is not as it was written ({error})") from error
    if bare and SEAL not in plain:
        return plain
    if plain.pop(SEAL, "") != digest(plain):
        raise ResultsError(f"is not as it was written ({SEAL} is not the digest of the rest)")
    return plain
