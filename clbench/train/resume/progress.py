"""What a run has done so far, as plain values: it travels through the saved state and ends up in the record."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import msgspec

from clbench.metrics.thresholds import Thresholds


@dataclass
class Done:
    """One finished session: rows of the matrices, its costs and its times."""

    growing: list[float]
    fixed: list[float]
    counts: dict[str, dict[str, list[int | None]]]
    cost: dict[str, Any]
    times: dict[str, Any]
    scores: dict[str, Any]
    mean_loss: float
    angle: float = math.nan
    """Mean angle between label features and classifiers over the session's positives, degrees."""
    bound: float | None = None
    """How far an AP may lie from the exact one, where the scores were too many to be held."""
    chosen: Thresholds | None = None
    """What validation images chose, where the scenario holds some out."""


@dataclass
class Progress:
    """Finished sessions and the place inside the current one: `step` batches of `epoch` of `session` are done."""

    started: str = ""
    session: int = 0
    epoch: int = 0
    step: int = 0
    train_seconds: float = 0.0
    """Of the current session, over all attempts."""
    total_seconds: float = 0.0
    images_seen: int = 0
    """Of the current session."""
    leaked: bool = False
    """Whether hidden labels were handed out, in any session."""
    counted: list[str] = field(default_factory=list)
    """Ids of the images that were stored when the last finished session was over: those that may be replayed."""
    done: list[Done] = field(default_factory=list)

    @property
    def inside(self) -> bool:
        """Whether the current session has begun to train."""
        return self.epoch > 0 or self.step > 0

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Progress:
        """Return what `to_plain` gave. Raises msgspec.ValidationError naming what is missing or of another type."""
        return msgspec.convert(plain, Progress)
