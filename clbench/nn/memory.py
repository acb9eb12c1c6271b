"""Replay memories: which images to keep under a counted budget. They hold table rows and labels, never pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from clbench.errors import UsageError
from clbench.nn.exemplars import Exemplars, Logits, Rows, Shelf, State, Targets, gathered

__all__ = ["Exemplars", "Logits", "Memory", "Rows", "Shelf", "State", "Targets"]


class Memory:
    """A uniform random sample of the images met so far.

    Reservoir sampling (Vitter, ACM TOMS 1985, algorithm R): the n-th image replaces a random slot with probability
    capacity / n. An image that is held when it is met again is not a new arrival: what is known of it is merged
    (unknown < negative < positive). An image that was dropped and comes back is one, since nothing remembers it.
    `capacity` counts images, or images per seen label with `per_class`.

    >>> memory = Memory(2)
    >>> memory.add([7, 8], [[1], [0]], rng=np.random.default_rng(0))
    >>> memory.add([7], [[-1, 1]], rng=np.random.default_rng(1))  # met again, with a second label
    >>> memory.exemplars().rows.tolist(), memory.exemplars().targets.tolist()
    ([7, 8], [[1, 1], [0, -1]])
    >>> memory.add([9], [[0, 1]], rng=np.random.default_rng(2))
    >>> len(memory), memory.met
    (2, 3)
    """

    def __init__(self, capacity: int, *, per_class: bool = False) -> None:
        if capacity < 0:
            raise UsageError(f"memory: capacity is {capacity}, expected zero or more images.")
        self.capacity = capacity
        self.per_class = per_class
        self.met = 0
        self._shelf = Shelf()

    @property
    def limit(self) -> int:
        """How many images may be held now."""
        return self.capacity * self._shelf.width if self.per_class else self.capacity

    def __len__(self) -> int:
        return len(self._shelf)

    def widen(self, seen: int) -> None:
        """Make room for labels up to `seen`; they are unknown for everything held."""
        self._shelf.widen(seen)

    def add(
        self,
        rows: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        rng: np.random.Generator,
        logits: npt.ArrayLike | None = None,
    ) -> None:
        """Offer images: `rows` int64 [n], visible labels `targets` int8 [n, labels] in {1, 0, -1}, and their logits.

        Images that are held are merged first, then the others are decided on in the order given.
        """
        given = gathered(rows, targets, logits)
        self.widen(given.targets.shape[1])
        slots = self._shelf.slots(given.rows)
        held = slots >= 0
        if held.any():
            self._merge(slots[held], given.take(np.flatnonzero(held)))
            given = given.take(np.flatnonzero(~held))
        if len(given):
            self._admit(given, rng=rng)

    def _merge(self, slots: npt.NDArray[np.intp], given: Exemplars) -> None:
        self._shelf.merge(slots, given)

    def _admit(self, given: Exemplars, *, rng: np.random.Generator) -> None:
        """Decide on images that are not held."""
        free = min(max(self.limit - len(self), 0), len(given))
        if free:
            self._shelf.append(given.take(np.arange(free)))
            self.met += free
        rest = given.take(np.arange(free, len(given)))
        if not len(rest):
            return
        # arrival number i draws one of i places and enters if that place is a slot; the last to draw a slot stays
        places = rng.integers(0, self.met + 1 + np.arange(len(rest)))
        self.met += len(rest)
        entering = np.flatnonzero(places < self.limit)
        if len(entering):
            slots, last = np.unique(places[entering][::-1], return_index=True)
            self._shelf.replace(slots, rest.take(entering[::-1][last]))

    def exemplars(self) -> Exemplars:
        """Return everything held. Targets are int8 [M, seen]."""
        return self._shelf.exemplars()

    def sample(self, n: int, *, rng: np.random.Generator) -> Exemplars:
        """Return `n` different exemplars drawn uniformly, or all of them when fewer are held.

        Targets are int8 [n, seen].
        """
        if n >= len(self):
            return self.exemplars()
        return self._shelf.view().take(rng.choice(len(self), size=n, replace=False))

    def state(self) -> State:
        """Return everything that changes, as arrays; `load` puts it back exactly."""
        return self._shelf.state() | {"met": np.array([self.met])}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned. `rows` is [M], `targets` and `logits` are [M, seen]."""
        self._shelf.load(state)
        self.met = int(np.asarray(state["met"])[0])
