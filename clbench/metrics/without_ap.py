"""How labels are told that have no AP, in one line wherever they are met."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 10
"""So many of them are named."""


def told_without_ap(names: Sequence[str], *, labels: int) -> str:
    """Return a line that names those of a stream's `labels` of which no test image is a positive; "" where none is.

    >>> told_without_ap(["lynx", "wolf"], labels=80)
    'No AP, and no part in mAP, for 2 of 80 labels that no test image is known to have: lynx, wolf.'
    """
    if not names:
        return ""
    more = f", … ({len(names) - MOST:,} more)" if len(names) > MOST else ""
    which = f"{len(names):,} of {labels:,} label{'s' * (labels != 1)} that no test image is known to have"
    return f"No AP, and no part in mAP, for {which}: {', '.join(names[:MOST])}{more}."
