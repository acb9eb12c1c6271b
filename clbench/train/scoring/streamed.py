"""Measures of a session whose scores do not fit: taken from each batch when it is scored, and no score is kept."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.method.ranking import ranking_scores
from clbench.method.strategy import Strategy
from clbench.metrics.rules import Ranking
from clbench.metrics.streamed import StreamedAP, bins_within
from clbench.metrics.thresholds import Thresholds
from clbench.stream.stream import Session, Stream
from clbench.train.evaluate import Evaluation, Tallies, check_shape, check_values, widened

HELD = 1 << 28
"""Scores of a session that are held and kept exactly, 1 GiB; what is more is streamed."""
STATE = 256 << 20
"""Bytes of histograms for one of the two test sets."""
STREAMED = "streamed-ap"
"""The mark of a row whose AP are such estimates."""


def is_streamed(images: int, labels: int) -> bool:
    """Say whether the scores of so many images and labels are streamed."""
    return images * labels > HELD


def in_points(bound: float) -> str:
    """Return a bound as text, rounded up: "0.13 points".

    >>> in_points(0.00121)
    '0.13 points'
    """
    return f"{math.ceil(1e4 * bound - 1e-9) / 100:.2f} points"


@torch.no_grad()
def evaluate_streamed(
    strategy: Strategy,
    *,
    source: ImageSource,
    stream: Stream,
    session: Session,
    device: torch.device,
    batch: int,
    ranking: Ranking,
    readers: int = 0,
    chosen: Thresholds | None = None,
) -> Evaluation:
    """Return the measures that `evaluate` takes of a whole matrix; AP from histograms, with its bound.

    In a distributed run every rank scores everything. Raises BadScoresError as `score_matrix` does.
    """
    strategy.eval()
    rows, learned = stream.test_rows, session.learned
    growing = np.isin(rows, session.test_rows)
    bins = bins_within(STATE, labels=learned)
    fixed_set, growing_set, tally, first = (
        StreamedAP(learned, bins=bins),
        StreamedAP(learned, bins=bins),
        Tallies(chosen),
        0,
    )
    for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda"):
        found = ranking_scores(strategy, images.to(device, non_blocking=True), ranking=ranking)
        check_shape(strategy, found, shape=(len(images), session.seen), ranking=ranking)
        check_values(strategy, found, ranking=ranking)
        scores = found[:, :learned].cpu().numpy()
        part = slice(first, first + len(scores))
        truth, mine = stream.read_truth(rows[part])[:, :learned], growing[part]
        logits = scores if ranking == "logits" else _logits(scores)
        fixed_set.add(logits, truth)
        if mine.any():
            growing_set.add(logits[mine], truth[mine])
            tally.add(scores[mine], truth[mine], ranking=ranking)
        first += len(scores)
    labels = len(stream.labels)
    values = {name: state.values() for name, state in (("fixed", fixed_set), ("growing", growing_set))}
    bound = max(
        float(np.nanmax(np.maximum(high - middle, middle - low), initial=0.0)) for low, middle, high in values.values()
    )
    return Evaluation(
        growing=widened(values["growing"][1], labels=labels),
        fixed=widened(values["fixed"][1], labels=labels),
        counts=tally.widened(labels),
        bound=bound,
    )


def _logits(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        found: npt.NDArray[np.float32] = np.log(probabilities) - np.log1p(-probabilities)
    return found
