"""Records in which every text tries to become part of a page."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from clbench.records.record import Record

MARKER = "</script><script>window.hit=1</script>"
PAYLOADS = (
    MARKER,
    '"><img src=x onerror=window.hit=1>',
    "<!--<script>window.hit=1",
    "javascript:window.hit=1//",
    "{{script}}\u2028window.hit=1",
    "'-alert(1)-'",
    '=HYPERLINK("http://example.org")',
)


def poisoned(record: Record) -> Record:
    """The record with a payload after every text and every key, wherever they are; equal texts stay equal."""
    payloads = itertools.cycle(PAYLOADS)
    known: dict[str, str] = {}

    def bad(text: str) -> str:
        if text not in known:
            known[text] = f"{text}{MARKER}{next(payloads)}"
        return known[text]

    def changed(value: Any, *, key: str = "") -> Any:
        if isinstance(value, str):
            return bad(value)
        if isinstance(value, msgspec.Struct):
            return type(value)(**{name: changed(getattr(value, name), key=name) for name in value.__struct_fields__})
        if isinstance(value, dict):
            kept = key in ("summary", "counts")  # read by name
            return {name if kept else bad(name): changed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        return value

    # constructors of structs check nothing, so not even patterns of names hold here
    found: Record = changed(record)
    return found
