"""What test images are ranked by: a strategy's logits, or the probabilities that it gives instead."""

from __future__ import annotations

from torch import Tensor

from clbench.method.strategy import Strategy
from clbench.metrics.rules import Ranking

_VERBS: dict[str, Ranking] = {"logits": "logits", "scores": "probabilities"}


def ranked_by(strategy: Strategy, *, protocol: int) -> Ranking:
    """Return what a strategy's test images are ranked by.

    `logits`, unless its class overrides `scores` and neither this class nor one below it says what the logits are.
    Protocol 1 asked every strategy for probabilities.
    """
    told = (verb for kind in type(strategy).__mro__ for verb in _VERBS if verb in vars(kind))
    return "probabilities" if protocol == 1 else _VERBS[next(told)]


def ranking_scores(strategy: Strategy, images: Tensor, *, ranking: Ranking) -> Tensor:
    """Return float [B, seen] for uint8 images [B, 3, H, W], as `ranking` says."""
    return (strategy.logits if ranking == "logits" else strategy.scores)(images).float()
