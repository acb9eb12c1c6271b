"""What a strategy was when it was scored after each session, where a run was asked to keep it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from clbench.errors import ResultsError
from clbench.files.whole_file import whole_file
from clbench.method.strategy import Strategy
from clbench.train.resume.state import load_strategy_state, load_whole, strategy_state

AGAIN = "Run it again with --keep-weights --no-resume."


def weights_file(work: Path, session: int) -> Path:
    """Return where the weights of `session` lie in a run's work folder."""
    return work / f"weights-{session}.pt"


def keep_weights(strategy: Strategy, work: Path, *, session: int) -> None:
    """Write weights and kept values as they are now: tensors and plain values only."""
    with whole_file(weights_file(work, session), what="the weights") as file:
        torch.save(strategy_state(strategy), file)


def load_weights(strategy: Strategy, work: Path, *, session: int) -> None:
    """Put the weights of `session` into a strategy of that structure. Raises ResultsError."""
    load_strategy_state(strategy, read_weights(work, session=session))


def read_weights(work: Path, *, session: int) -> dict[str, Any]:
    """Return what was kept of a strategy after `session`, read without trust. Raises ResultsError."""
    path = weights_file(work, session)
    if not path.exists():
        raise ResultsError(f"{path}: the weights after session {session + 1} were not kept.", hint=AGAIN)
    try:
        saved = load_whole(path)
        return {"module": saved["module"], "own": saved["own"]}
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise ResultsError(f"{path}: not readable weights ({reason}).", hint=AGAIN) from error
