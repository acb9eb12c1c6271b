"""What a configuration is called: its digest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clbench.files.yaml_text import digest

TUNING_OUTCOMES = ("failed", "value")
"""What of a record's `tuning` a search came to; the rest says how it searched and belongs to the configuration."""


def configuration_digest(
    strategy: str,
    *,
    fields: Mapping[str, Any],
    train: Mapping[str, Any],
    protocol: int,
    tuning: Mapping[str, Any] | None = None,
) -> str:
    """Return the digest of everything chosen for a run but its seed; equal digests mean one row.

    `tuning` is the record's part of that name. The same values found by hand and by searches of different size are
    rows of their own: what they may be compared with differs.
    """
    chosen: dict[str, Any] = {"strategy": strategy, "fields": dict(fields), "train": dict(train), "protocol": protocol}
    if tuning is not None:
        chosen["tuning"] = {name: value for name, value in tuning.items() if name not in TUNING_OUTCOMES}
    return digest(chosen)
