"""Memories that choose anew from what they hold and what they are offered."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from clbench.errors import UsageError, suggest
from clbench.nn.exemplars import Exemplars, State, gathered
from clbench.nn.memory import Memory
from clbench.nn.rehearsal.label_lists import present
from clbench.nn.rehearsal.selection import class_balanced, greedy_balanced, herding_per_label

SELECTIONS = {"class": class_balanced, "greedy": greedy_balanced}


class BalancedMemory(Memory):
    """A memory balanced over labels, chosen anew from the held and the offered images together.

    `select` is "greedy" (always for the label with the fewest positives so far) or "class" (labels take turns).

    >>> memory = BalancedMemory(2)
    >>> memory.add([1, 2, 3, 4], [[1, 0], [1, 0], [1, 0], [0, 1]], rng=np.random.default_rng(0))
    >>> memory.exemplars().targets.sum(axis=0).tolist()  # one of each label
    [1, 1]
    """

    def __init__(self, capacity: int, *, select: str = "greedy", per_class: bool = False) -> None:
        super().__init__(capacity, per_class=per_class)
        if select not in SELECTIONS:
            raise UsageError(
                f"memory: select is '{select}'.{suggest(select, SELECTIONS)}",
                hint=f"Use one of: {', '.join(SELECTIONS)}.",
            )
        self.select = select

    def _admit(self, given: Exemplars, *, rng: np.random.Generator) -> None:
        self.met += len(given)
        held = len(self)
        if held + len(given) > self.limit:
            offered = present(given.targets)
            offered.resize(len(given), self._shelf.width)
            from scipy.sparse import vstack  # runs without such a memory do without it

            pool = vstack([present(self._shelf.targets), offered], format="csr")
            chosen = np.sort(SELECTIONS[self.select](pool, self.limit, rng=rng))
            self._shelf.keep(chosen[chosen < held])
            given = given.take(chosen[chosen >= held] - held)
        self._shelf.append(given)


class HerdingMemory(Memory):
    """Per label, the images whose mean feature is nearest to that of all its images.

    iCaRL's exemplar sets (Rebuffi et al., CVPR 2017) for images with several labels, as in KRT (Dong et al., ICCV
    2023): an image may stand in several sets and is stored once. With a total budget a set is cut to its first
    capacity / seen images when labels are added, the remainder going to the first labels; KRT rounds up instead and
    may exceed its budget. With `per_class`, `capacity` is the size of each set.

    >>> memory = HerdingMemory(1, per_class=True)
    >>> memory.herd([1, 2, 3], [[1], [1], [1]], features=[[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> memory.exemplars().rows.tolist()  # the image nearest to the mean direction
    [2]
    """

    def __init__(self, capacity: int, *, per_class: bool = False) -> None:
        super().__init__(capacity, per_class=per_class)
        self._sets: dict[int, list[int]] = {}

    def quotas(self) -> list[int]:
        """Return the size of each label's set."""
        seen = self._shelf.width
        if self.per_class:
            return [self.capacity] * seen
        return [self.capacity // seen + (label < self.capacity % seen) for label in range(seen)]

    def herd(
        self,
        rows: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        features: npt.ArrayLike,
        logits: npt.ArrayLike | None = None,
    ) -> None:
        """Choose sets for the labels that have none yet, from these images alone, and cut the others to their quota.

        `rows` int64 [n] without repetition, `targets` int8 [n, seen], `features` float [n, d]. Raises UsageError where
        they are not as many, or an image is there twice.
        """
        given = gathered(rows, targets, logits)
        x = np.asarray(features)
        if len(x) != len(given):
            raise UsageError(
                f"memory: {len(x)} features for {len(given)} different images.",
                hint="Give one feature per image and every image once.",
            )
        self.widen(given.targets.shape[1])
        quotas = self.quotas()
        new = [label for label in range(self._shelf.width) if label not in self._sets]
        quota = max((quotas[label] for label in new), default=0)
        for label, chosen in zip(new, herding_per_label(x, given.targets, labels=new, quota=quota), strict=True):
            self._sets[label] = given.rows[chosen].tolist()
        for label, ranked in self._sets.items():
            del ranked[quotas[label] :]
        wanted = {row for ranked in self._sets.values() for row in ranked}
        self._shelf.keep(np.flatnonzero([row in wanted for row in self._shelf.rows.tolist()]))
        slots = self._shelf.slots(given.rows)
        self._shelf.merge(slots[slots >= 0], given.take(np.flatnonzero(slots >= 0)))
        entering = [i for i, row in enumerate(given.rows.tolist()) if slots[i] < 0 and row in wanted]
        self._shelf.append(given.take(np.array(entering, dtype=np.intp)))
        self.met += len(given)

    def _admit(self, given: Exemplars, *, rng: np.random.Generator) -> None:
        raise UsageError("memory: herding needs features.", hint="Call herd(rows, targets, features=...).")

    def state(self) -> State:
        """Return everything that changes, as arrays; `load` puts it back exactly."""
        sets = [(label, row) for label, ranked in self._sets.items() for row in ranked]
        done = np.array(sorted(self._sets), dtype=np.int64)
        return super().state() | {"sets": np.array(sets, dtype=np.int64).reshape(-1, 2), "labels": done}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned. Arrays of the shapes that it gave, `rows` [M] and `targets` [M, seen]."""
        super().load(state)
        self._sets = {int(label): [] for label in np.asarray(state["labels"])}
        for label, row in np.asarray(state["sets"]).tolist():
            self._sets[label].append(row)
