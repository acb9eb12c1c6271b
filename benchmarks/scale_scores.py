"""Scores at scale: AP from a score file, column by column, and AP from histograms that are filled while scoring."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.metrics.ap import average_precision, average_precisions
from clbench.metrics.streamed import StreamedAP

BINS = (256, 1024, 4096, 16384)
CHUNK, TILE = 50_000, 16
Figures = dict[str, float]


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
        logits, targets = np.log(scores) - np.log1p(-scores), truth.astype(np.int8)
        for bins, state in states.items():
            start = time.process_time()
            state.add(logits, targets)
            seconds[bins] += time.process_time() - start
        kept[:, first : first + len(scores)] = scores.T
        known[:, first : first + len(scores)] = truth.T
    right = np.array([average_precision(kept[label], known[label]) for label in range(labels)])
    found: Figures = {"mAP, exact": float(right.mean())}
    for bins, state in states.items():
        low, middle, high = state.values()
        assert ((low <= right + 1e-12) & (right <= high + 1e-12)).all()
        found |= {
            f"bytes of {bins} bins": state.all.nbytes + state.positive.nbytes,
            f"nanoseconds a score, {bins} bins": 1e9 * seconds[bins] / (rows * labels),
            f"largest error of an AP, {bins} bins": float(np.abs(middle - right).max()),
            f"error of mAP, {bins} bins": float(abs(middle.mean() - right.mean())),
            f"widest bounds of an AP, {bins} bins": float((high - low).max()),
        }
    return found
