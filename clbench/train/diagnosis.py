"""What a run writes into its record beside its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from clbench.method.strategy import Strategy
from clbench.nn.backbones.by_name import Backbone
from clbench.nn.heads.angles import mean_positive_angle
from clbench.nn.heads.network import Network
from clbench.train.resume.progress import Done

SAMPLE = 256
"""Images of a session that are looked at, evenly spread over it."""


def session_angle(strategy: Strategy) -> float:
    """Return the mean angle in degrees between label features and classifier rows over the session's known positives.

    Of up to SAMPLE images without augmentation. NaN where the strategy's network has no such head, or no positive.
    """
    live, net = strategy.session, getattr(strategy, "net", None)
    if live is None or not isinstance(net, Network) or not len(live.rows):
        return math.nan
    taken = np.unique(np.linspace(0, len(live.rows) - 1, min(SAMPLE, len(live.rows))).round().astype(np.int64))

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in live.batches(places=taken):
            yield batch.images, batch.targets

    try:
        return mean_positive_angle(net, batches())
    except NotImplementedError:  # a head of one's own need not say what it decides on
        return math.nan


def notes_of(done: Sequence[Done], strategy: Strategy) -> dict[str, str]:
    """Return as notes for the record the angles of all sessions and how many positions the head has to choose from.

    The positions are those of the map that the backbone makes of an image, also where stored features were pooled.
    """
    notes = {}
    if not all(math.isnan(session.angle) for session in done):
        notes["angle"] = " ".join("-" if math.isnan(session.angle) else f"{session.angle:.1f}" for session in done)
    net = getattr(strategy, "net", None)
    if isinstance(net, Network) and isinstance(net.backbone, Backbone) and net.backbone.positions:
        notes["positions"] = str(net.backbone.positions)
    return notes
