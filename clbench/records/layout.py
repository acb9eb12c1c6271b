"""The text of a record: indented where people read, one matrix row per line, the same bytes for the same values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

_STEP = "  "


def layout(plain: dict[str, Any]) -> bytes:
    """Return the one JSON text (UTF-8, final newline) of a plain record, keys in the order they have."""
    return ("\n".join(_lines(plain, indent="", before="", after="")) + "\n").encode()


def _lines(value: Any, *, indent: str, before: str, after: str) -> Iterator[str]:
    if _on_one_line(value, in_list=not before):
        yield f"{indent}{before}{_inline(value)}{after}"
        return
    mapping = isinstance(value, dict)
    yield f"{indent}{before}{'{' if mapping else '['}"
    items = value.items() if mapping else enumerate(value)
    for number, (key, child) in enumerate(items, start=1):
        name = f"{_scalar(key)}: " if mapping else ""
        yield from _lines(child, indent=indent + _STEP, before=name, after="," if number < len(value) else "")
    yield f"{indent}{'}' if mapping else ']'}{after}"


def _on_one_line(value: Any, *, in_list: bool) -> bool:
    """Scalars, empty containers, lists of scalars, and in lists also mappings of scalars take one line."""
    if isinstance(value, list):
        return not value or not isinstance(value[0], (dict, list))
    if isinstance(value, dict):
        return not value or (in_list and not any(isinstance(child, (dict, list)) for child in value.values()))
    return True


def _inline(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    return _scalar(value)


def _scalar(value: Any) -> str:
    return msgspec.json.encode(value).decode()
