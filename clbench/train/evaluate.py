"""One forward pass per test image per session; the only place that sees test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.errors import RunError
from clbench.method.strategy import Strategy
from clbench.metrics.ap import average_precisions
from clbench.metrics.f1 import counts, counts_top
from clbench.ranks.together import gathered, shard
from clbench.stream.stream import Session

THRESHOLDS: dict[str, float] = {"0.5": 0.5, "0.8": 0.8}
Tally = dict[str, list[int | None]]


class BadScoresError(RunError):
    """A strategy's scores have the wrong shape or are no probabilities."""


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
    readers: int = 0,
) -> npt.NDArray[np.float32]:
    """Return the probabilities float32 [n, seen] for the images `rows`; they stay on the device until the end.

    `readers` processes read pictures ahead. In a distributed run each rank scores its share and all return the whole.
    Raises RunError when a strategy returns another shape, or values that are not finite or outside [0, 1]. The error is
    a BadScoresError.
    """
    strategy.eval()
    everything, rows = rows, shard(rows)
    parts = [
        strategy.scores(images.to(device, non_blocking=True)).float()
        for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda")
    ]
    scores = gathered(torch.cat(parts) if parts else torch.empty(0, seen, device=device), total=len(everything))
    rows = everything
    if tuple(scores.shape) != (len(rows), seen):
        raise BadScoresError(
            f"{type(strategy).__name__}.scores gave {tuple(scores.shape)} for {len(rows)} images and {seen} labels.",
            hint="It returns one column per seen label, in arrival order.",
        )
    if not bool(((scores >= 0) & (scores <= 1)).all()):
        raise BadScoresError(
            f"{type(strategy).__name__}.scores gave values that are not probabilities (NaN, or outside [0, 1]).",
            hint="Return torch.sigmoid(logits.float()).",
        )
    result: npt.NDArray[np.float32] = scores.cpu().numpy()
    return result


def evaluate(
    scores: npt.NDArray[np.float32],
    *,
    truth: npt.NDArray[np.int8],
    test_rows: npt.NDArray[np.int64],
    session: Session,
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

    decided = {name: counts(s[growing_rows], t[growing_rows], threshold=value) for name, value in THRESHOLDS.items()}
    decided["top3"] = counts_top(s[growing_rows], t[growing_rows], k=3)
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
