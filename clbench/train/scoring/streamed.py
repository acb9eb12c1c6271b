"""Scores of a session that are too many to be held: measured, and kept where that is wanted, batch by batch."""

from __future__ import annotations

import numpy as np
import torch

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.method.strategy import Strategy
from clbench.metrics.of_parts import MeasuredParts
from clbench.metrics.of_session import Evaluation
from clbench.metrics.rules import Ranking
from clbench.metrics.thresholds import Thresholds
from clbench.stream.stream import Session, Stream
from clbench.train.scoring.evaluate import check_shape, check_values, ranking_scores
from clbench.train.scoring.score_file import ScoreFile


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
    kept: ScoreFile | None = None,
) -> Evaluation:
    """Return the measures that `evaluate` takes of a whole matrix; AP from histograms, with its bound.

    Scores go into `kept` where there is one. In a distributed run every rank scores everything. Raises BadScoresError
    as `score_matrix` does, ResultsError where scores cannot be written.
    """
    strategy.eval()
    rows, learned, first = stream.test_rows, session.learned, 0
    growing = np.isin(rows, session.test_rows)
    measures = MeasuredParts(learned, ranking=ranking, chosen=chosen, all_growing=bool(growing.all()))
    for images in read_ahead(source, rows, batch=batch, readers=readers, pin=device.type == "cuda"):
        found = ranking_scores(strategy, images.to(device, non_blocking=True), ranking=ranking)
        check_shape(strategy, found, shape=(len(images), session.seen), ranking=ranking)
        check_values(strategy, found, ranking=ranking)
        scores, part = found.cpu().numpy(), slice(first, first + len(found))
        if kept is not None:
            kept.add(scores)
        truth = stream.read_truth(rows[part])[:, :learned]
        measures.add(scores[:, :learned], truth=truth, growing=growing[part])
        first += len(scores)
    return measures.result(labels=len(stream.labels))
