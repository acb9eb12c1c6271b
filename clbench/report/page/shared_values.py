"""Values that many rows share, stored once."""

from __future__ import annotations

from typing import Any

import msgspec


class Pool:
    """A list of distinct JSON values; rows keep places in it instead of copies."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[bytes, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of `value`, which is added when it is new."""
        key = msgspec.json.encode(value, order="sorted")
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]
