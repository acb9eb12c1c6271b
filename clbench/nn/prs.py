"""Partitioning reservoir sampling: a memory whose label shares follow a power of the stream's."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from clbench.nn.exemplars import Exemplars, State
from clbench.nn.memory import Memory
from clbench.nn.rehearsal.label_lists import LabelLists

Vector = npt.NDArray[np.float64]

TIE = 1e-9
"""Quantities closer than this count as equal, so that the order of a summation never decides."""


class PRSMemory(Memory):
    """Partitioning reservoir sampling.

    Kim et al., "Imbalanced continual learning with partitioning reservoir sampling" (ECCV 2020). With n_c positives
    of label c met so far, l_c of them held, L = sum l_c and M slots, the target share is p_c = n_c^rho / sum n^rho
    over the labels held.

    In: an image with positives Y enters a full memory with probability sum_c v_c min(1, M p_c / n_c), v = softmax
    over Y of -n_c. Out: delta_c = l_c - p_c L; a label is drawn from softmax(delta) over the labels held; of its
    images those with the fewest labels of delta <= 0 stay candidates, and the one whose removal leaves the smallest
    sum_c |l_c - p_c L| goes. Counts and shares are renewed after the decision.

    Decided here, where the paper is silent: equal candidates (within 1e-9) lose the oldest slot; a label met before but
    no longer held keeps its last share; an image without a positive is kept only while there is room; an image that is
    held when it returns is merged and counted, then the others are decided on. The authors' code differs in two
    corners: it drops a label that a removal would empty from the sum, and takes the first candidate when all sums
    exceed M.

    >>> memory = PRSMemory(4)
    >>> rng = np.random.default_rng(0)
    >>> memory.add(range(20), [[1, 0]] * 19 + [[0, 1]], rng=rng)
    >>> memory.shares().tolist()  # with rho 0 both labels are wanted alike
    [0.5, 0.5]
    """

    def __init__(self, capacity: int, *, rho: float = 0.0, per_class: bool = False) -> None:
        super().__init__(capacity, per_class=per_class)
        self.rho = rho
        self._positives: Vector = np.zeros(0)  # n_c
        self._powers: Vector = np.zeros(0)  # n_c^rho, 0 for a label not met
        self._held: Vector = np.zeros(0)  # l_c
        self._last: Vector = np.zeros(0)  # the share of a label when it was last held
        self._lists = LabelLists()

    def widen(self, seen: int) -> None:
        """Make room for labels up to `seen`; they are unknown for everything held."""
        extra = seen - len(self._held)
        if extra > 0:
            for name in ("_positives", "_powers", "_held", "_last"):
                setattr(self, name, np.pad(getattr(self, name), (0, extra)))
        super().widen(seen)

    def shares(self) -> Vector:
        """Return the target share p_c of every label; that of a label no longer held is its last one."""
        held = self._held > 0
        shares: Vector = np.where(held, self._powers / (self._powers @ held or 1.0), self._last)
        return shares

    def _merge(self, slots: npt.NDArray[np.intp], given: Exemplars) -> None:
        super()._merge(slots, given)
        self._lists.put(slots, LabelLists(self._shelf.targets[slots]))
        self._held = self._lists.counts(len(self._held))
        self._count((given.targets == 1).sum(axis=0), images=len(given))

    def _count(self, positives: npt.NDArray[np.int64], *, images: int) -> None:
        self.met += images
        self._positives[: len(positives)] += positives
        met = self._positives > 0
        self._powers[met] = self._positives[met] ** self.rho

    def _admit(self, given: Exemplars, *, rng: np.random.Generator) -> None:
        free = min(max(self.limit - len(self), 0), len(given))
        offered = LabelLists(given.targets)
        if free:
            first = offered.take(np.arange(free))
            self._shelf.append(given.take(np.arange(free)))
            self._lists.append(first)
            found = first.counts(len(self._held))
            self._held += found
            self._count(found.astype(np.int64), images=free)
        self.met += len(given) - free
        if not self.limit:
            return
        for i in range(free, len(given)):
            labels = offered.of(i).tolist()
            if labels and rng.random() < self._entry(labels):
                slot, place = self._exit(rng), np.array([i])
                self._shelf.replace(np.array([slot]), given.take(place))
                self._replace(slot, offered.take(place))
            for label in labels:
                self._positives[label] += 1
                self._powers[label] = self._positives[label] ** self.rho

    def _replace(self, slot: int, image: LabelLists) -> None:
        out = self._lists.of(slot).copy()
        total = self._powers @ (self._held > 0)
        self._held[out] -= 1
        self._held[image.of(0)] += 1
        self._lists.put(np.array([slot]), image)
        gone = out[self._held[out] == 0]
        self._last[gone] = self._powers[gone] / total

    def _entry(self, labels: list[int]) -> float:
        """Return the probability that an image with positives `labels` enters."""
        # a few labels: plain numbers are quicker than arrays
        total = float(self._powers @ (self._held > 0))
        met = [float(self._positives[label]) for label in labels]
        fewest, weights, chance = min(met), 0.0, 0.0
        for label, n in zip(labels, met, strict=True):
            weight = math.exp(fewest - n)
            share = self._powers[label] / total if self._held[label] else self._last[label]
            wanted = self.limit * float(share)
            weights += weight
            chance += weight * (wanted / n if n > wanted else 1.0)
        return chance / weights

    def _exit(self, rng: np.random.Generator) -> int:
        """Return the slot that is given up."""
        present = np.flatnonzero(self._held > 0)
        if not len(present):
            return 0
        held, shares = self._held[present], self._powers[present]
        shares = shares / (shares.sum() or 1.0)
        total = held.sum()
        surplus = held - shares * total
        odds = np.cumsum(np.exp(surplus - surplus.max()))
        drawn = min(int(np.searchsorted(odds, rng.random() * odds[-1], side="right")), len(present) - 1)
        slots = self._lists.holding(int(present[drawn]))
        scarce = np.zeros(len(self._held) + 1)
        scarce[present[surplus <= TIE]] = 1.0
        burden = self._lists.take(slots).sums(scarce)
        slots = slots[burden == burden.min()]
        if len(slots) == 1:
            return int(slots[0])
        goals = np.zeros(len(self._held))
        goals[present] = shares
        distance = self._distances(self._lists.take(slots), goals, surplus=surplus, shares=shares)
        return int(slots[np.argmax(distance <= distance.min() + TIE)])

    def _distances(self, candidates: LabelLists, goals: Vector, *, surplus: Vector, shares: Vector) -> Vector:
        """Return sum_c |l_c - p_c L| after the removal of each candidate, over the labels with `surplus` and `shares`.

        A removal of k labels adds k p_c to every surplus, and its own labels lose one image; `goals` is p_c of every
        label. Terms that stay on their side of zero whatever is removed are summed up once.
        """
        sizes, own = candidates.sizes, candidates.places
        steady = (surplus >= 0) | (surplus <= -int(sizes.max()) * shares)
        side = np.where(surplus >= 0, 1.0, -1.0) * steady
        level, slope = side @ surplus, side @ shares
        moving, by = surplus[~steady], shares[~steady]
        left = {size: level + slope * size + np.abs(moving + by * size).sum() for size in set(sizes.tolist())}
        rest = self._held[own] - goals[own] * (self._held.sum() - sizes)
        change = np.where(own < 0, 0.0, np.abs(rest - 1) - np.abs(rest)).sum(axis=0)
        found: Vector = np.array([left[size] for size in sizes.tolist()]) + change
        return found

    def state(self) -> State:
        """Return everything that changes, as arrays; `load` puts it back exactly."""
        return super().state() | {"positives": self._positives.copy(), "last": self._last.copy()}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned. Arrays of the shapes that it gave, `rows` [M] and `targets` [M, seen]."""
        super().load(state)
        self._positives = np.array(state["positives"], dtype=np.float64)
        self._last = np.array(state["last"], dtype=np.float64)
        self._powers = np.zeros_like(self._positives)
        self._lists = LabelLists(self._shelf.targets)
        self._held = self._lists.counts(len(self._positives))
        self._count(np.zeros(0, dtype=np.int64), images=0)
