"""The structure of a finished run's strategy, grown again session by session without any image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from clbench.data.pictures.sources import Rows
from clbench.errors import RunError
from clbench.method.session import LiveSession
from clbench.method.strategy import Strategy
from clbench.stream.stream import Session


class NoPictures:
    """An image source that has none."""

    size = 1

    def read(self, rows: Rows) -> torch.Tensor:
        """Raise RunError."""
        raise RunError("a strategy asked for images while its structure was grown again.")


def bare_sessions(labels: Sequence[str], *, new: Sequence[int], all_seen: bool = False) -> tuple[Session, ...]:
    """Return sessions without images that introduce `new` labels each; with `all_seen` every label is there at once."""
    none = np.empty(0, dtype=np.int64)
    made, first = [], 0
    for index, count in enumerate(new):
        learned = first + count
        seen = len(labels) if all_seen else learned
        made.append(
            Session(
                index=index,
                new=slice(first, learned),
                seen=seen,
                learned=learned,
                labels=tuple(labels[:seen]),
                rows=none,
                targets=np.empty((0, seen), dtype=np.int8),
                test_rows=none,
            )
        )
        first = learned
    return tuple(made)


def grown_again(
    strategy: Strategy, sessions: Sequence[Session], *, seed: int, device: torch.device
) -> Iterator[Session]:
    """Yield each session when a built strategy has the structure that it had then; its weights are anything."""
    for session in sessions:
        strategy._seed = (seed, session.index, "begin")
        strategy.begin_session(
            LiveSession(
                session,
                source=NoPictures(),
                device=device,
                batch_size=1,
                stored=lambda: np.empty(0, dtype=np.int64),
                structure_only=True,
            )
        )
        yield session
