"""Scores at scale: AP from a score file, column by column, and AP from histograms that are filled while scoring."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.metrics.ap import average_precision, average_precisions

RANGE = 18.0
"""Logits of float32 probabilities lie within about 17 above and are of no interest far below."""
BINS = (256, 1024, 4096, 16384)
CHUNK, TILE = 50_000, 16
Figures = dict[str, float]


class StreamedAP:
    """Average precision from two histograms per label, with bounds that always hold.

    Scores are binned by their logit, `bins` of equal width. Inside a bin the order is unknown, so the average
    precision of the scores themselves lies between that with every negative of a bin ahead of its positives and that
    with all positives of a bin in one tie ahead of its negatives. State: 8 bytes x labels x bins, whatever the number
    of images; two states add up, so that ranks and shards need no exchange of scores.
    """

    def __init__(self, labels: int, *, bins: int) -> None:
        self.bins = bins
        self.all = np.zeros((labels, bins), dtype=np.uint32)
        self.positive = np.zeros((labels, bins), dtype=np.uint32)

    def add(self, scores: npt.NDArray[np.float32], rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> None:
        """Count probabilities [n, labels]; `rows` and `columns` are the places of the positives."""
        labels = self.all.shape[0]
        with np.errstate(divide="ignore"):
            logits = np.log(scores) - np.log1p(-scores)
        place = np.clip((logits + RANGE) * (self.bins / (2 * RANGE)), 0, self.bins - 1).astype(np.int32)
        flat = place.T + (np.arange(labels, dtype=np.int32) * self.bins)[:, None]
        self.all += np.bincount(flat.ravel(), minlength=labels * self.bins).astype(np.uint32).reshape(labels, -1)
        found = np.bincount(flat[columns, rows], minlength=labels * self.bins)
        self.positive += found.astype(np.uint32).reshape(labels, -1)

    def value(self, label: int) -> tuple[float, float, float]:
        """Return a lower bound, the AP of the binned scores, and an upper bound."""
        positive = self.positive[label, ::-1].astype(np.int64)
        negative = self.all[label, ::-1].astype(np.int64) - positive
        filled = np.flatnonzero(positive)
        if not len(filled):
            return (np.nan,) * 3
        hits, misses = np.cumsum(positive), np.cumsum(negative)
        p, h, m, n = positive[filled], hits[filled], misses[filled], negative[filled]
        middle, high = (p * h / (h + m)).sum(), (p * h / (h + m - n)).sum()
        each = np.arange(1, h[-1] + 1)  # the positives in the order of their ranks
        low = (each / (each + np.repeat(m, p))).sum()
        return low / h[-1], middle / h[-1], high / h[-1]


def scored(rows: int, labels: int, *, first: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return probabilities [rows, labels] and truth, labels of 1 in 10 to 1 in 1,000 images, at an mAP of about 0.6."""
    rng = np.random.default_rng([first, labels])
    truth = rng.random((rows, labels), dtype=np.float32) < np.geomspace(1e-3, 0.1, labels, dtype=np.float32)
    logits = rng.standard_normal((rows, labels), dtype=np.float32)
    logits += np.where(truth, np.float32(0), np.float32(-3.5))
    return 1 / (1 + np.exp(-logits)), truth


def exact(rows: int, labels: int, folder: Path) -> Figures:
    """AP from score files on disk: images by labels as clbench keeps them, and labels by images."""
    by_image, by_label, truths = folder / "images.f32", folder / "labels.f32", folder / "truth.i8"
    turned = np.memmap(by_label, np.float32, "w+", shape=(labels, rows))
    known = np.memmap(truths, np.int8, "w+", shape=(labels, rows))
    with by_image.open("wb") as file:
        for first in range(0, rows, CHUNK):
            scores, truth = scored(min(CHUNK, rows - first), labels, first=first)
            file.write(scores.tobytes())
            turned[:, first : first + len(scores)] = scores.T
            known[:, first : first + len(scores)] = truth.T
    del turned, known
    start = time.process_time()
    columns, target = [], []
    for label in range(labels):
        columns.append(np.fromfile(by_label, np.float32, rows, offset=4 * rows * label))
        target.append(np.fromfile(truths, np.int8, rows, offset=rows * label))
        average_precision(columns.pop(), target.pop())
    sequential = time.process_time()
    whole = np.memmap(by_image, np.float32, "r", shape=(rows, labels))
    tiles = range(0, min(labels, 2 * TILE), TILE)
    for at in tiles:  # a few of them: each reads a piece of every page of the file
        part = np.fromfile(truths, np.int8, rows * TILE, offset=rows * at).reshape(TILE, rows).T
        average_precisions(np.array(whole[:, at : at + TILE]), part)
    strided = time.process_time() - sequential
    return {
        "bytes of the scores": 4 * rows * labels,
        "milliseconds a label, labels by images": 1e3 * (sequential - start) / labels,
        "milliseconds a label, images by labels": 1e3 * strided / (len(tiles) * TILE),
    }


def streamed(rows: int, labels: int, folder: Path) -> Figures:
    """AP from histograms, against the exact values of the same scores."""
    states = {bins: StreamedAP(labels, bins=bins) for bins in BINS}
    seconds = dict.fromkeys(BINS, 0.0)
    kept = np.memmap(folder / "kept.f32", np.float32, "w+", shape=(labels, rows))
    known = np.memmap(folder / "known.i8", np.int8, "w+", shape=(labels, rows))
    for first in range(0, rows, CHUNK):
        scores, truth = scored(min(CHUNK, rows - first), labels, first=first)
        places = np.nonzero(truth)
        for bins, state in states.items():
            start = time.process_time()
            state.add(scores, *places)
            seconds[bins] += time.process_time() - start
        kept[:, first : first + len(scores)] = scores.T
        known[:, first : first + len(scores)] = truth.T
    right = np.array([average_precision(kept[label], known[label]) for label in range(labels)])
    found: Figures = {"mAP, exact": float(right.mean())}
    for bins, state in states.items():
        low, middle, high = np.array([state.value(label) for label in range(labels)]).T
        assert ((low <= right + 1e-12) & (right <= high + 1e-12)).all()
        found |= {
            f"bytes of {bins} bins": state.all.nbytes + state.positive.nbytes,
            f"nanoseconds a score, {bins} bins": 1e9 * seconds[bins] / (rows * labels),
            f"largest error of an AP, {bins} bins": float(np.abs(middle - right).max()),
            f"error of mAP, {bins} bins": float(abs(middle.mean() - right.mean())),
            f"widest bounds of an AP, {bins} bins": float((high - low).max()),
        }
    return found
