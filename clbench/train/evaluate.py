"""One forward pass per test image per session; the only place that sees test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.errors import RunError
from clbench.method.ranking import ranking_scores
from clbench.method.strategy import Strategy
from clbench.metrics.ap import average_precisions
from clbench.metrics.rules import RULES, Ranking, decide
from clbench.ranks.together import gathered, shard
from clbench.stream.stream import Session

Tally = dict[str, list[int | None]]


class BadScoresError(RunError):
    """What a strategy's test images should be ranked by has the wrong shape or is no such thing."""


@dataclass(frozen=True)
class Evaluation:
    """What one session's scores say: rows [K] of the AP matrices (NaN where undefined) and of the counts."""

    growing: npt.NDArray[np.float64]
    fixed: npt.NDArray[np.float64]
    counts: dict[str, Tally]


@torch.no_grad()
def score_matrix(
    strategy: Strategy,
    *,
    source: ImageSource,
    rows: npt.NDArray[np.int64],
    seen: int,
    device: torch.device,
    batch: int,
    ranking: Ranking,
    readers: int = 0,
) -> npt.NDArray[np.float32]:
    """Return what ranks the images `rows`, float32 [n, seen], logits or probabilities; on the device until the end.

    `readers` processes read pictures ahead. In a distributed run each rank scores its share and all return the whole.
    Raises RunError when a strategy returns another shape, NaN, or probabilities outside [0, 1]. The error is a
    BadScoresError.
    """
    strategy.eval()
    everything, rows = rows, shard(rows)
    parts = [
        ranking_scores(strategy, images.to(device, non_blocking=True), ranking=ranking)
        for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda")
    ]
    scores = gathered(torch.cat(parts) if parts else torch.empty(0, seen, device=device), total=len(everything))
    rows = everything
    said = f"{type(strategy).__name__}.{'logits' if ranking == 'logits' else 'scores'}"
    if tuple(scores.shape) != (len(rows), seen):
        raise BadScoresError(
            f"{said} gave {tuple(scores.shape)} for {len(rows)} images and {seen} labels.",
            hint="It returns one column per seen label, in arrival order.",
        )
    if bool(scores.isnan().any()):
        raise BadScoresError(f"{said} gave NaN.", hint="Look where it divides by zero, or takes inf - inf.")
    if ranking == "probabilities" and not bool(((scores >= 0) & (scores <= 1)).all()):
        raise BadScoresError(
            f"{said} gave values that are not probabilities (outside [0, 1]).",
            hint="Logits are returned by the verb `logits`, which replaces this one.",
        )
    result: npt.NDArray[np.float32] = scores.cpu().numpy()
    return result


def evaluate(
    scores: npt.NDArray[np.float32],
    *,
    truth: npt.NDArray[np.int8],
    test_rows: npt.NDArray[np.int64],
    session: Session,
    ranking: Ranking,
) -> Evaluation:
    """Return what `scores` [n, seen] of the fixed test set say against `truth` int8 [n, K], both in `test_rows` order.

    Labels learned so far are scored on the session's growing test set and on the fixed one; the others are undefined.
    """
    labels, learned = truth.shape[1], session.learned
    growing_rows = np.isin(test_rows, session.test_rows)
    s, t = scores[:, :learned], truth[:, :learned]

    def widened(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        out = np.full(labels, np.nan)
        out[:learned] = values
        return out

    decided = {rule: decide(rule, s[growing_rows], t[growing_rows], ranking=ranking) for rule in RULES}
    return Evaluation(
        growing=widened(average_precisions(s[growing_rows], t[growing_rows])),
        fixed=widened(average_precisions(s, t)),
        counts={
            name: {
                part: [*(int(v) for v in getattr(c, part)), *([None] * (labels - learned))]
                for part in ("tp", "fp", "fn")
            }
            for name, c in decided.items()
        },
    )
