"""Average precision on resampled test images, for intervals that say what a test set of this size can tell.

The images are drawn again with replacement (the bootstrap; Efron and Tibshirani, "An Introduction to the Bootstrap",
1993, chapter 13), which is the same as giving each of them a whole weight: how often it was drawn. Every method is
scored on the same draws, so differences are paired by image.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clbench.errors import DataError
from clbench.metrics.ap import Aps
from clbench.metrics.inputs import Floats, Targets, checked_matrix

Weights = npt.NDArray[np.uint8]
"""How often each image was drawn, uint8 [N, R]: images by resamples."""

_AT_ONCE = 16
"""Resamples summed together: weights of an image are contiguous, so that sums run over whole vectors, and those of
40,000 images stay in a cache of the second level, where 128 at once take twice as long."""


def draw_images(images: int, resamples: int, *, seed: int) -> Weights:
    """Return `resamples` draws of `images` images with replacement, as weights uint8 [images, resamples].

    The same numbers for the same arguments. Every column adds up to `images`.

    Raises DataError where there is no image.

    >>> draw_images(4, 2, seed=0).sum(axis=0)
    array([4, 4])
    """
    if images < 1:
        raise DataError("There is no test image to draw from.", hint="Compare records that were scored on test images.")
    generator = np.random.Generator(np.random.PCG64(seed))
    found = np.empty((images, resamples), dtype=np.uint8)
    for resample in range(resamples):
        # more than 255 draws of one image of N >= 2 do not happen (below 1e-300 for N = 30)
        counts = np.bincount(generator.integers(images, size=images), minlength=images)
        found[:, resample] = np.minimum(counts, 255) if images > 1 else 1
    return found


def resampled_precisions(scores: npt.ArrayLike, targets: npt.ArrayLike, weights: Weights, *, threads: int = 1) -> Aps:
    """Return the average precision of every label on every resample, float64 [R, K].

    scores and targets [N, K] as in `average_precisions`; weights uint8 [N, R] as from `draw_images`. Equal to
    `average_precisions` on the images repeated as often as their weights say: ties are grouped, unknown targets (-1)
    left out, NaN where a resample holds no positive of a label. `threads` labels are worked on at once and change no
    bit. DataError: weights for another number of images.

    >>> draws = draw_images(3, 2, seed=0)
    >>> resampled_precisions([[0.9], [0.2], [0.8]], [[1], [0], [1]], draws)
    array([[1.],
           [1.]])
    """
    s, t = checked_matrix(scores, targets)
    if weights.ndim != 2 or len(weights) != len(s):
        raise DataError(
            f"weights have shape {weights.shape}; {len(s)} images by resamples were expected",
            hint=f"Draw them with draw_images({len(s)}, …).",
        )
    found = np.empty((weights.shape[1], s.shape[1]))
    columns = [_Column.of(s[:, label], t[:, label]) for label in range(s.shape[1])]
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for first in range(0, weights.shape[1], _AT_ONCE):
            part = np.ascontiguousarray(weights[:, first : first + _AT_ONCE], dtype=np.float32)
            for label, values in enumerate(pool.map(lambda column, part=part: column.precisions(part), columns)):
                found[first : first + _AT_ONCE, label] = values
    return found


@dataclass(frozen=True)
class _Column:
    """One label, sorted once: between two groups of ties that hold a positive, weights only have to be added up."""

    between: csr_array
    """[G, N] of ones: the images that each group adds to those scored at least as high, best group first."""
    positive: csr_array
    """[G, N] of ones: the positives among them."""

    @classmethod
    def of(cls, scores: Floats, targets: Targets) -> _Column:
        known = np.flatnonzero(targets >= 0)
        order = known[np.argsort(-scores[known], kind="stable")].astype(np.int32)
        falling = -scores[order]
        hits = np.flatnonzero(targets[order] == 1)
        ends, opened = np.unique(np.searchsorted(falling, falling[hits], side="right"), return_index=True)
        return cls(
            _ones(order[: ends[-1] if ends.size else 0], np.append(0, ends), images=len(scores)),
            _ones(order[hits], np.append(opened, len(hits)), images=len(scores)),
        )

    def precisions(self, weights: npt.NDArray[np.float32]) -> Aps:
        """Return AP [R] under weights [N, R]; sums of whole numbers up to N, so exact in float32 below 2^24 of them."""
        kind = np.float32 if len(weights) < 1 << 24 else np.float64
        gained = self.positive @ weights
        hits: npt.NDArray[Any] = np.cumsum(gained, axis=0, dtype=kind)
        everything: npt.NDArray[Any] = np.cumsum(self.between @ weights, axis=0, dtype=kind)
        whole = np.zeros(hits.shape)
        precision = np.divide(hits, everything, out=whole, where=everything > 0, dtype=np.float64)
        total = gained.sum(axis=0, dtype=np.float64)
        value = (gained * precision).sum(axis=0)
        return np.asarray(np.divide(value, total, out=np.full_like(total, np.nan), where=total > 0))


def _ones(images_in_order: npt.NDArray[np.int32], starts: npt.NDArray[np.intp], *, images: int) -> csr_array:
    return csr_array(
        (np.ones(len(images_in_order), dtype=np.float32), images_in_order, starts.astype(np.int32)),
        shape=(len(starts) - 1, images),
    )
