"""Optimising the class distribution in memory: drop whatever brings the memory's labels closest to a target."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from clbench.nn.exemplars import Exemplars, State
from clbench.nn.memory import Memory
from clbench.nn.prs import TIE, Vector
from clbench.nn.rehearsal.label_lists import LabelLists

EMPTY = 1e4
"""Stands for -log 0: a removal that leaves a wanted label without an image costs this much per unit of its share."""


class OCDMMemory(Memory):
    """Optimising the class distribution in memory.

    Liang and Li, "Optimizing class distribution in memory for multi-label online continual learning" (arXiv
    2209.11469). With n_c positives of label c met so far, this batch included, the target is t_c = n_c^rho / sum n^rho.
    The batch joins the memory; then, until the budget holds, the image goes whose removal gives the smallest
    KL(t || l / |l|) to the label shares of what is left; equal images are drawn from.

    For image i with labels Y_i and S = sum l_c, KL after its removal = constant
    + sum over Y_i of t_c (log l_c - log(l_c - 1)) + (sum of t_c over l_c > 0) log(S - |Y_i|),
    so that all removals are weighed by sums over their own labels. A label with no image left has no finite
    divergence; each counts 10^4 times its share, which spares wanted labels first. Values within 1e-9 are equal.

    >>> memory = OCDMMemory(2)
    >>> memory.add([1, 2, 3], [[1, 0], [1, 0], [0, 1]], rng=np.random.default_rng(0))
    >>> memory.exemplars().targets.sum(axis=0).tolist()  # one of each label
    [1, 1]
    """

    def __init__(self, capacity: int, *, rho: float = 0.0, per_class: bool = False) -> None:
        super().__init__(capacity, per_class=per_class)
        self.rho = rho
        self._lists = LabelLists()
        self._positives: Vector = np.zeros(0)

    def widen(self, seen: int) -> None:
        """Make room for labels up to `seen`; they are unknown for everything held."""
        self._positives = np.pad(self._positives, (0, max(seen - len(self._positives), 0)))
        super().widen(seen)

    def _count(self, given: Exemplars) -> LabelLists:
        """Count the positives of `given`, and return them."""
        lists = LabelLists(given.targets)
        self.met += len(given)
        self._positives += lists.counts(len(self._positives))
        return lists

    def _merge(self, slots: npt.NDArray[np.intp], given: Exemplars) -> None:
        super()._merge(slots, given)
        self._lists.put(slots, LabelLists(self._shelf.targets[slots]))
        self._count(given)

    def _admit(self, given: Exemplars, *, rng: np.random.Generator) -> None:
        self._lists.append(self._count(given))
        self._shelf.append(given)
        excess = len(self) - self.limit
        if excess > 0:
            stay = np.flatnonzero(self._survivors(excess, rng=rng))
            self._shelf.keep(stay)
            self._lists = self._lists.take(stay)

    def target(self) -> Vector:
        """Return the wanted share of each label."""
        met = self._positives
        powers: Vector = np.where(met > 0, np.maximum(met, 1) ** self.rho, 0.0)
        shares: Vector = powers / (powers.sum() or 1.0)
        return shares

    def _survivors(self, excess: int, *, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Return which slots stay after `excess` removals."""
        lists, target = self._lists, self.target()
        counts, sizes = lists.counts(len(target)), lists.sizes
        total, wanted = float(sizes.sum()), float(target[counts > 0].sum())
        gains = np.append(_gain(counts, target), 0.0)
        lost = np.zeros(len(sizes))
        for _ in range(excess):
            cost = lists.sums(gains)
            cost += wanted * np.log(np.maximum(total - sizes, 1.0))
            cost += lost
            ties = np.flatnonzero(cost <= cost.min() + TIE)
            gone = int(ties[rng.integers(len(ties))])
            lost[gone] = np.inf
            labels = lists.of(gone)
            counts[labels] -= 1
            total -= len(labels)
            wanted -= float(target[labels[counts[labels] == 0]].sum())
            gains[labels] = _gain(counts[labels], target[labels])
        alive: npt.NDArray[np.bool_] = lost == 0
        return alive

    def state(self) -> State:
        """Return everything that changes, as arrays; `load` puts it back exactly."""
        return super().state() | {"positives": self._positives.copy()}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned. Arrays of the shapes that it gave, `rows` [M] and `targets` [M, seen]."""
        super().load(state)
        self._positives = np.array(state["positives"], dtype=np.float64)
        self._lists = LabelLists(self._shelf.targets)


def _gain(counts: Vector, target: Vector) -> Vector:
    """Return what a removal costs for each label that it takes from: t_c (log l_c - log(l_c - 1))."""
    many = np.maximum(counts, 2.0)
    gain: Vector = target * np.where(counts > 1, np.log(many) - np.log(many - 1), np.where(counts == 1, EMPTY, 0.0))
    return gain
