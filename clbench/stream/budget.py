"""How many images a session may store and show: what a run is held to, and what its record is held to later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNTOLD_DRAWS = 2
"""Draws a step of records that do not tell them: no strategy shipped until then made more."""


def most_stored(fields: Mapping[str, Any], *, labels: int) -> int | None:
    """Return how many images the field `memory` allows over `labels` seen labels; None where there is no such field."""
    memory = fields.get("memory")
    if not isinstance(memory, int) or isinstance(memory, bool):
        return None
    return memory * labels if fields.get("per_class") is True else memory


def most_seen(train: Mapping[str, Any], *, session: int, images: int, stored: int, steps: int, draws: int) -> int:
    """Return how many images, repeats included, a session of `images` can have trained on.

    Its own in every epoch, and in every step at most `draws` times all that was stored, before it or after it.
    """
    rounds = int(session == 0 and train.get("base_epochs", 0)) or train.get("epochs", 0)
    return images * max(rounds, 1) + draws * stored * max(steps, 1)
