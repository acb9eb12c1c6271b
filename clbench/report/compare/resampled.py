"""A measure of every record on resamples of the test images, from its score files."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError
from clbench.metrics.resample import Weights, draw_images, resampled_precisions
from clbench.records.orders import order_of
from clbench.records.record import Record
from clbench.records.rows import Row
from clbench.records.verify.against_stream import other_stream, stream_of, tested_places
from clbench.report.figures.from_scores import session_scores, work_folder
from clbench.stream.stream import Stream

log = logging.getLogger(__name__)

Draws = npt.NDArray[np.float64]


class Resampler:
    """Scores records of one scenario on the same resamples; None for a record without usable score files.

    `others` has the streams of other class orders by name: their test images are the same ones, so a draw is too.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        resamples: int,
        seed: int = 0,
        threads: int = 1,
        others: Mapping[str, Stream] | None = None,
    ) -> None:
        self.stream = stream
        self.truth = stream.truth(stream.test_rows)
        self.weights: Weights = draw_images(len(self.truth), resamples, seed=seed)
        self.threads = threads
        self.others = {
            order: (other, other.truth(other.test_rows))
            for order, other in (others or {}).items()
            if other.test_rows.tolist() == stream.test_rows.tolist()
        }

    @property
    def images(self) -> int:
        """How many images the fixed test set has."""
        return len(self.truth)

    def measure(self, record: Record, *, folders: Sequence[Path], name: str) -> Draws | None:
        """Return the measure `name` of a record on every resample, float64 [R]."""
        stream, every = self.others.get(order_of(record), (self.stream, self.truth))
        if work_folder(record, folders) is None or any(other_stream(record, stream)):
            return None
        places = tested_places(record, stream)
        sessions = range(len(record.scores)) if name == "average_map" else [len(record.scores) - 1]
        found = []
        for session in sessions:
            scores = session_scores(record, folders, images=len(self.truth), session=session)
            if scores is None:
                return None
            rows = places[session]
            truth = every[rows, : scores.shape[1]]
            aps = resampled_precisions(scores[rows], truth, self.weights[rows], threads=self.threads)
            with np.errstate(invalid="ignore"):
                known = ~np.isnan(aps)
                found.append(np.where(known, aps, 0.0).sum(axis=1) / known.sum(axis=1))
        return np.asarray(np.mean(found, axis=0))


def resampler(rows: Sequence[Row], *, data: Path | None, resamples: int, seed: int = 0) -> Resampler | None:
    """Return what scores rows of one table again, or None where the data set that says what is right is not here."""
    firsts = {order_of(record): record for row in rows for record in reversed(row.records)}
    try:
        streams = {order: stream_of(record, data=data) for order, record in firsts.items()}
    except ClbenchError as error:
        log.warning("The test images cannot be drawn again. %s", error.message)
        return None
    threads = os.cpu_count() or 1
    own = streams[order_of(rows[0].first)]
    return Resampler(own, resamples=resamples, seed=seed, threads=threads, others=streams)
