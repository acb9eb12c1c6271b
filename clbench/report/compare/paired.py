"""The difference between two methods: an interval from the seeds, from the test images, and from both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A method minus the baseline, over the seeds that both have; fractions. None where nothing can be said."""

    mean: float
    seeds: int
    error_seeds: float | None
    """Standard error of the mean over seeds, from paired differences; None for a single seed."""
    error_images: float | None
    """Standard error from the test images, on resamples that both share; None without score files."""
    low: float | None
    high: float | None
    """The interval of the chosen level from both errors; None where neither is known."""

    @property
    def verdict(self) -> str:
        """Return in words what the interval shows."""
        if self.low is None or self.high is None:
            return "one seed and no score files: nothing can be said"
        if self.low > 0:
            said = "better"
        elif self.high < 0:
            said = "worse"
        else:
            said = "no difference can be shown"
        if self.error_seeds is None:
            said += " (one seed: the luck of training is not in it)"
        elif self.error_images is None:
            said += " (no score files: the luck of the test images is not in it)"
        return said


def paired_difference(
    values: Sequence[float], baseline: Sequence[float], *, images: Draws | None = None, level: float = 0.95
) -> Difference:
    """Return the difference between two methods that ran on the same seeds.

    values and baseline: one number per seed, in the same order. images [R]: the difference of the means over seeds on
    R resamples of the test images. The two errors are independent (other seeds, other images), so their variances add;
    the interval is Student's t with the degrees of freedom of Welch and Satterthwaite (Welch 1947, Biometrika 34),
    where the images' part counts as known. With one seed it says what other test images would change, and nothing of
    training.

    >>> paired_difference([0.50, 0.52, 0.51], [0.40, 0.43, 0.40]).verdict.split(" (")[0]
    'better'
    """
    from scipy.stats import t as student

    gaps = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    n = gaps.size
    mean = math.fsum(gaps.tolist()) / n
    seeds = float(gaps.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    pictures = None if images is None else float(np.nanstd(images, ddof=1))
    known = [error for error in (seeds, pictures) if error is not None]
    if not known:
        return Difference(mean, n, seeds, pictures, None, None)
    total = math.hypot(*known)
    freedom = math.inf
    if seeds:
        freedom = (n - 1) * (total / seeds) ** 4
    reach = float(student.ppf(0.5 + level / 2, freedom)) * total
    return Difference(mean, n, seeds, pictures, mean - reach, mean + reach)


def first_place(
    means: Draws, errors: Draws, *, draws: Draws | None, freedom: npt.NDArray[np.int64], seed: int
) -> Draws:
    """Return per method the probability that its mean is the highest, float64 [M].

    means [M]; errors [M]: standard errors over seeds (0 for a single seed) with `freedom` [M] degrees of freedom; draws
    [R, M]: the means on resamples of the test images that all methods share, or None. Every draw adds to each method's
    mean what its images and its seeds may move it. A tie is shared between those that tie.
    """
    generator = np.random.default_rng(seed)
    times = 10_000 if draws is None else len(draws)
    luck = generator.standard_t(np.maximum(freedom, 1), size=(times, len(means))) * errors
    values = (means if draws is None else draws) + luck
    best = values == values.max(axis=1, keepdims=True)
    return np.asarray((best / best.sum(axis=1, keepdims=True)).mean(axis=0))
