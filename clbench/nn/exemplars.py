"""Stored images as rows of a label table, with what was visible of their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clbench.errors import ClbenchError

Rows = npt.NDArray[np.int64]
Targets = npt.NDArray[np.int8]
Logits = npt.NDArray[np.float32]
State = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Exemplars:
    """Images kept for rehearsal.

    `rows` int64 [M] are rows of the label table, `targets` int8 [M, width] what is known of their labels (1, 0,
    -1 unknown), `logits` float32 [M, width] the outputs stored with them, NaN where none were, or None.

    >>> held = clbench.Exemplars(np.array([4, 9]), np.array([[1, -1], [0, 1]], dtype=np.int8))
    >>> len(held), held.take(np.array([1])).rows.tolist()
    (2, [9])
    """

    rows: Rows
    targets: Targets
    logits: Logits | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: npt.NDArray[np.intp]) -> Exemplars:
        """Return the exemplars at `indices`; of targets that are held as lists a view."""
        held: Any = self.targets
        targets = held.at(indices) if _lists(held) else held[indices]
        return Exemplars(self.rows[indices], targets, None if self.logits is None else self.logits[indices])


def _lists(targets: Any) -> bool:
    """Whether targets are held as lists, which become dense where `np.asarray` asks for them."""
    return not isinstance(targets, np.ndarray) and hasattr(targets, "listed")


def gathered(rows: npt.ArrayLike, targets: npt.ArrayLike, logits: npt.ArrayLike | None) -> Exemplars:
    """Return arrays as exemplars; an image that occurs twice becomes one, at its first place, with all that is known.

    Raises ClbenchError when the shapes do not fit each other, rows are no whole numbers, or targets anything but 1, 0
    and unknown, which is -1 or NaN.
    """
    given = as_exemplars(rows, targets, logits)
    if _lists(given.targets) and len(np.unique(given.rows)) < len(given):
        return gathered(given.rows, np.asarray(given.targets), given.logits)
    _, first, group = np.unique(given.rows, return_index=True, return_inverse=True)
    if len(first) == len(given):
        return given
    order = np.argsort(first, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    kept = given.take(first[order])
    np.maximum.at(kept.targets, place[group], given.targets)
    return kept


def as_exemplars(rows: npt.ArrayLike, targets: npt.ArrayLike, logits: npt.ArrayLike | None) -> Exemplars:
    """Return arrays as exemplars, in the types that these have. Raises ClbenchError as `gathered` does."""
    row_array = _whole(np.asarray(rows))
    target_array: Any = targets if _lists(targets) else _three_valued(np.asarray(targets))
    logit_array = None if logits is None else np.asarray(logits, dtype=np.float32)
    fits = target_array.ndim == 2 and row_array.shape == target_array.shape[:1]
    if not fits or (logit_array is not None and logit_array.shape != target_array.shape):
        shape = "none" if logit_array is None else str(logit_array.shape)
        raise ClbenchError(
            f"memory: rows {row_array.shape}, targets {target_array.shape} and logits {shape} do not fit each other.",
            hint="Expected rows [n], targets [n, labels] and logits of the same shape as targets.",
        )
    return Exemplars(row_array, target_array, logit_array)


def _whole(rows: npt.NDArray[Any]) -> Rows:
    if rows.size and rows.dtype.kind not in "iu":
        raise ClbenchError(
            f"memory: rows are of type {rows.dtype}, which are no rows of a table.",
            hint="Hand over session.rows or batch.rows, or some of them.",
        )
    return rows.astype(np.int64)


def _three_valued(targets: npt.NDArray[Any]) -> Targets:
    """Return targets as int8; what is unknown as NaN, as in a batch, becomes -1."""
    if targets.dtype.kind == "f":
        targets = np.where(np.isnan(targets), -1, targets)
    strange = targets[(targets != 1) & (targets != 0) & (targets != -1)]
    if strange.size:
        raise ClbenchError(
            f"memory: targets have {strange.flat[0].item()!r}; 1, 0 and -1 (unknown) were expected.",
            hint="What is between is no label: keep it as logits, or decide.",
        )
    return targets.astype(np.int8)


class Shelf:
    """Slots holding exemplars, found by row; each image stands in one slot."""

    def __init__(self, *, width: int = 0) -> None:
        self.rows: Rows = np.empty(0, dtype=np.int64)
        self.targets: Targets = np.empty((0, width), dtype=np.int8)
        self.logits: Logits | None = None
        self._slots: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """How many labels the targets have."""
        return int(self.targets.shape[1])

    def slots(self, rows: Rows) -> npt.NDArray[np.intp]:
        """Return the slot of each row, -1 where it is not held. Both are [n]."""
        return np.fromiter((self._slots.get(row, -1) for row in rows.tolist()), dtype=np.intp, count=len(rows))

    def widen(self, width: int) -> None:
        """Add columns, unknown for everything held, up to `width` labels."""
        extra = width - self.width
        if extra > 0:
            self.targets = np.pad(self.targets, ((0, 0), (0, extra)), constant_values=-1)
            if self.logits is not None:
                self.logits = np.pad(self.logits, ((0, 0), (0, extra)), constant_values=np.nan)

    def padded(self, targets: Targets) -> Targets:
        """Return `targets` in the width of the shelf, unknown where they had no column. [n, w] becomes [n, width]."""
        targets = np.asarray(targets)
        extra = self.width - targets.shape[1]
        return np.pad(targets, ((0, 0), (0, extra)), constant_values=-1) if extra else targets

    def _fitted(self, given: Exemplars) -> tuple[Targets, Logits | None]:
        """Return targets and logits of `given` in the width of the shelf."""
        targets, logits = self.padded(given.targets), given.logits
        extra = self.width - given.targets.shape[1]
        if logits is not None and extra:
            logits = np.pad(logits, ((0, 0), (0, extra)), constant_values=np.nan)
        if logits is not None and self.logits is None:
            self.logits = np.full(self.targets.shape, np.nan, dtype=np.float32)
        if logits is None and self.logits is not None:
            logits = np.full(targets.shape, np.nan, dtype=np.float32)
        return targets, logits

    def merge(self, slots: npt.NDArray[np.intp], given: Exemplars) -> None:
        """Add what `given` knows of the images in `slots`: the larger of unknown < negative < positive.

        Stored logits stay; entries without one take the new one. `slots` is [n], as long as `given`.
        """
        targets, logits = self._fitted(given)
        self.targets[slots] = np.maximum(self.targets[slots], targets)
        if self.logits is not None and logits is not None:
            held = self.logits[slots]
            self.logits[slots] = np.where(np.isnan(held), logits, held)

    def append(self, given: Exemplars) -> None:
        """Put images that are not held into new slots. Their targets [n, w] get the shelf's width."""
        targets, logits = self._fitted(given)
        self._slots.update(zip(given.rows.tolist(), range(len(self), len(self) + len(given)), strict=True))
        self.rows = np.concatenate([self.rows, given.rows])
        self.targets = np.concatenate([self.targets, targets])
        if self.logits is not None and logits is not None:
            self.logits = np.concatenate([self.logits, logits])

    def replace(self, slots: npt.NDArray[np.intp], given: Exemplars) -> None:
        """Put images that are not held in the place of those in `slots`, each slot named once.

        `slots` is [n], as long as `given`.
        """
        targets, logits = self._fitted(given)
        for row in self.rows[slots].tolist():
            del self._slots[row]
        self._slots.update(zip(given.rows.tolist(), slots.tolist(), strict=True))
        self.rows[slots] = given.rows
        self.targets[slots] = targets
        if self.logits is not None and logits is not None:
            self.logits[slots] = logits

    def keep(self, slots: npt.NDArray[np.intp]) -> None:
        """Keep only `slots`, in the order given. `slots` is [n]."""
        self._set(self.view().take(slots))

    def _set(self, content: Exemplars) -> None:
        self.rows, self.targets, self.logits = content.rows, content.targets, content.logits
        self._slots = {row: slot for slot, row in enumerate(self.rows.tolist())}

    def view(self) -> Exemplars:
        """Return everything held without a copy; to be read at once and not kept. Targets are [M, width]."""
        return Exemplars(self.rows, self.targets, self.logits)

    def exemplars(self) -> Exemplars:
        """Return a copy of everything held. Targets are [M, width]."""
        return Exemplars(self.rows.copy(), self.targets.copy(), None if self.logits is None else self.logits.copy())

    def state(self) -> State:
        """Return the content as arrays."""
        state: State = {"rows": self.rows.copy(), "targets": self.targets.copy()}
        return state if self.logits is None else state | {"logits": self.logits.copy()}

    def load(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Put back what `state` returned. `rows` is [M], `targets` and `logits` are [M, width]."""
        logits = state.get("logits")
        self._set(
            Exemplars(
                np.array(state["rows"], dtype=np.int64),
                np.array(state["targets"], dtype=np.int8),
                None if logits is None else np.array(logits, dtype=np.float32),
            )
        )
