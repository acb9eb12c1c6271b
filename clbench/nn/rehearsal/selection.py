"""Choosing exemplars from a pool by their labels or their features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clbench.nn.exemplars import Targets
from clbench.nn.rehearsal.label_lists import present

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Indices = npt.NDArray[np.intp]


def class_balanced(targets: Targets | csr_array, m: int, *, rng: np.random.Generator) -> Indices:
    """Return up to `m` indices, the labels taking turns at picking one of their positives at random.

    Every label gets the same number of picks as long as it has positives left; an image picked for one label is not
    picked again. Images without a positive come last, at random. `targets` is int8 [n, labels], also as lists.
    """
    return _picked(targets, m, rng=rng, count_all=False)


def greedy_balanced(targets: Targets | csr_array, m: int, *, rng: np.random.Generator) -> Indices:
    """Return up to `m` indices, always picking for the label with the fewest positives among the picks so far.

    Greedy balancing (GDumb, Prabhu et al., ECCV 2020) for images with several labels: a pick counts for all its
    positives, so labels that come along with others are picked for less often. Ties go to the label that came first.
    `targets` is int8 [n, L], also as lists, the result [at most m].
    """
    return _picked(targets, m, rng=rng, count_all=True)


def _picked(targets: Targets | csr_array, m: int, *, rng: np.random.Generator, count_all: bool) -> Indices:
    positive = present(targets)
    shuffled = rng.permutation(positive.shape[0])
    queues = [shuffled[places] for places in _columns(positive[shuffled])]
    heads = np.zeros(len(queues), dtype=np.intp)
    weight = np.zeros(len(queues))
    weight[[label for label, queue in enumerate(queues) if not len(queue)]] = np.inf
    taken = np.zeros(len(shuffled), dtype=np.bool_)
    picks: list[int] = []
    while len(picks) < m and np.isfinite(weight).any():
        label = int(weight.argmin())
        queue = queues[label]
        while heads[label] < len(queue) and taken[queue[heads[label]]]:
            heads[label] += 1
        if heads[label] == len(queue):
            weight[label] = np.inf
            continue
        image = int(queue[heads[label]])
        taken[image] = True
        picks.append(image)
        if count_all:
            weight[positive.indices[positive.indptr[image] : positive.indptr[image + 1]]] += 1
        else:
            weight[label] += 1
    if len(picks) < m:
        picks.extend(shuffled[~taken[shuffled]][: m - len(picks)].tolist())
    return np.array(picks, dtype=np.intp)


def herding(features: npt.ArrayLike, m: int) -> Indices:
    """Return up to `m` indices whose running mean stays nearest to the mean of all features, best first.

    iCaRL (Rebuffi et al., CVPR 2017, algorithm 4) on L2-normalised `features` [n, d]: pick k minimises
    || mean - (sum of the picks so far + candidate) / k ||. Any prefix is the choice for a smaller budget.
    """
    x = np.asarray(features, dtype=np.float64)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    square = (x**2).sum(axis=1)
    total = np.zeros_like(mean)
    free = np.ones(len(x), dtype=np.bool_)
    picks: list[int] = []
    for k in range(1, min(m, len(x)) + 1):
        # || k mean - total - x ||^2 without its constant
        distance = square - 2 * (x @ (k * mean - total))
        distance[~free] = np.inf
        picks.append(int(distance.argmin()))
        free[picks[-1]] = False
        total += x[picks[-1]]
    return np.array(picks, dtype=np.intp)


def herding_per_label(
    features: npt.ArrayLike, targets: Targets, *, quota: int, labels: Sequence[int] | None = None
) -> list[Indices]:
    """Return for each of `labels` (None: every column of `targets`) up to `quota` herded indices among its positives.

    An image may be chosen for several labels, as in KRT (Dong et al., ICCV 2023). `features` is [n, d], `targets` int8
    [n, L], also as lists; each result is [at most quota].
    """
    x = np.asarray(features)
    labels = range(targets.shape[1]) if labels is None else labels
    carriers = _columns(present(targets))
    return [carriers[label][herding(x[carriers[label]], quota)] for label in labels]


def _columns(positive: csr_array) -> list[Indices]:
    """Return the positions of the entries of each column, rising."""
    by_label = positive.tocsc()
    return np.split(by_label.indices.astype(np.intp), by_label.indptr[1:-1])
