"""The flat view of one session's training samples, and the order in which they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from clbench.data.pictures.augment import augmented
from clbench.data.pictures.read_ahead import hand_over, leave_interrupts_to_the_run
from clbench.data.pictures.sources import ImageSource, end_to_end
from clbench.data.sparse.labels import SparseLabels
from clbench.data.sparse.merged import MergedLabels, in_lists
from clbench.errors import ClbenchError
from clbench.nn.memory import Exemplars
from clbench.ranks.together import mine
from clbench.seeds import derive, generator
from clbench.stream.stream import Session

Item = tuple[int, int]
"""(epoch, position in the view)"""


class SessionView(Dataset[tuple[Tensor, Tensor, int]]):
    """A session's images followed by the exemplars rehearsed with it: (image uint8, y int8 [seen], row).

    `y` is 1, 0 or -1 for unknown; columns that the session hides are -1 and columns not yet seen do not exist, so the
    view holds nothing that could leak. Positions from `fresh` on are exemplars. An exemplar that is also an image of
    the session is not repeated: what is known of it is merged into the session's row.
    """

    def __init__(
        self,
        session: Session,
        *,
        source: ImageSource,
        ids: npt.NDArray[np.str_],
        augment: str,
        seed: int,
        exemplars: Exemplars | None = None,
    ) -> None:
        self.source = source
        self.augment = augment
        self.seed = seed
        self.session = session.index
        self.fresh = len(session.rows)
        rows, logits = session.rows, None
        lists = in_lists(session.targets)
        y: npt.NDArray[np.int8] | SparseView = session.targets if lists is None else SparseView(lists)
        if exemplars is not None and len(exemplars.rows):
            rows, y, logits = _with_exemplars(session, exemplars)
        self.rows = rows
        reader = end_to_end(source)
        self.reader = reader
        self.lying = (reader.files(session.rows), reader.places(session.rows)) if reader else None
        self.y: Tensor | SparseView = (
            y if isinstance(y, SparseView) else torch.from_numpy(np.array(y))
        )  # the session's own is read-only
        self.logits = logits
        self.ids = ids[rows] if augment != "none" else ids[:0]
        self._all_ids = ids

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor, int]:
        """Return one sample without augmentation; this is how Avalanche's plugins read a session."""
        row = int(self.rows[position])
        return self.source.read(self.rows[position : position + 1])[0], self.y[position], row

    def __getitems__(self, items: list[Item]) -> tuple[Tensor, Tensor, Tensor, Tensor] | ClbenchError:
        """Return a whole batch (images, y, rows, positions), augmented by (seed, session, epoch, image id).

        In a worker process a picture that cannot be read is returned as its error.
        """
        positions = np.fromiter((position for _, position in items), dtype=np.int64, count=len(items))
        draws = (
            derive(self.seed, "augment", self.session, epoch, str(self.ids[position])) for epoch, position in items
        )
        in_worker = get_worker_info() is not None
        try:
            images = augmented(self.source, self.rows[positions], augment=self.augment, draws=draws)
            batch = images, self.y[positions], torch.from_numpy(self.rows[positions]), torch.from_numpy(positions)
            if in_worker:
                hand_over(*batch)
        except ClbenchError as error:
            if not in_worker:
                raise
            return error  # torch would send home a text with a traceback in it
        return batch

    def order(self, epoch: int) -> npt.NDArray[np.int64]:
        """Return the positions in the order in which an epoch shows them, [len(view)]."""
        drawn = {"seed": self.seed, "session": self.session, "epoch": epoch}
        if self.lying is None or self.reader is None:
            return order(len(self), self.fresh, **drawn)
        files, places = self.lying
        buffer, lanes = self.reader.buffer, self.reader.lanes
        return buffered_order(len(self), files, places=places, buffer=buffer, lanes=lanes, **drawn)

    def recalled(self, rows: npt.NDArray[np.int64], *, step: int, places: Iterable[int]) -> Tensor:
        """Return images set beside the batch of `step`, augmented by (seed, session, step, place, image id)."""
        draws = (
            derive(self.seed, "augment recalled", self.session, step, place, str(self._all_ids[row]))
            for place, row in zip(places, rows.tolist(), strict=True)
        )
        return augmented(self.source, rows, augment=self.augment, draws=draws)


class SparseView:
    """The targets of a session that are held as lists, those of exemplars merged into them or set behind them.

    Indexing by positions gives int8 [n, seen], made dense there and then.
    """

    def __init__(
        self,
        targets: SparseLabels | MergedLabels,
        *,
        own: npt.NDArray[np.intp] | None = None,
        stored: npt.NDArray[np.int8] | None = None,
        behind: npt.NDArray[np.int8] | None = None,
    ) -> None:
        width = targets.shape[1]
        self.targets = targets
        self.own = np.empty(0, dtype=np.intp) if own is None else own
        """Positions, rising, of what is also an exemplar, whose `stored` labels are merged into it."""
        self.stored = np.empty((0, width), dtype=np.int8) if stored is None else stored
        self.behind = np.empty((0, width), dtype=np.int8) if behind is None else behind

    def __getitem__(self, positions: int | npt.NDArray[np.int64]) -> Tensor:
        wanted = np.atleast_1d(positions)
        out = np.empty((len(wanted), self.targets.shape[1]), dtype=np.int8)
        fresh = wanted < len(self.targets)
        out[fresh] = self.targets[wanted[fresh]]
        out[~fresh] = self.behind[wanted[~fresh] - len(self.targets)]
        if len(self.own):
            near = np.minimum(np.searchsorted(self.own, wanted), len(self.own) - 1)
            met = self.own[near] == wanted
            out[met] = np.maximum(out[met], self.stored[near[met]])  # unknown < negative < positive
        found = torch.from_numpy(out)
        return found if isinstance(positions, np.ndarray) else found[0]


def _with_exemplars(
    session: Session, exemplars: Exemplars
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8] | SparseView, Tensor | None]:
    """Return rows, y and stored logits of the session's images followed by the exemplars that are not among them."""
    stored = np.full((len(exemplars.rows), session.seen), -1, dtype=np.int8)
    stored[:, : exemplars.targets.shape[1]] = exemplars.targets
    by_row = np.argsort(session.rows, kind="stable")
    near = np.minimum(np.searchsorted(session.rows, exemplars.rows, sorter=by_row), len(session.rows) - 1)
    own = by_row[near]
    met = session.rows[own] == exemplars.rows
    rows = np.concatenate([session.rows, exemplars.rows[~met]])
    logits = None
    if exemplars.logits is not None:
        kept = torch.as_tensor(exemplars.logits)
        logits = torch.full((len(rows), session.seen), float("nan"))
        logits[torch.from_numpy(own[met]), : kept.shape[1]] = kept[torch.from_numpy(met)]
        logits[len(session.rows) :, : kept.shape[1]] = kept[torch.from_numpy(~met)]
    if lists := in_lists(session.targets):
        rising = np.argsort(own[met], kind="stable")
        return (
            rows,
            SparseView(lists, own=own[met][rising], stored=stored[met][rising], behind=stored[~met]),
            logits,
        )
    y = session.targets.copy()
    np.maximum.at(y, own[met], stored[met])  # unknown < negative < positive
    return rows, np.concatenate([y, stored[~met]]), logits


def order(view_length: int, fresh: int, *, seed: int, session: int, epoch: int) -> npt.NDArray[np.int64]:
    """Return the positions of one epoch in the order in which they are shown.

    Every position has a random key; fresh images draw theirs from (seed, session, epoch) alone, so that rehearsing
    exemplars inserts them without changing the order of the session's own images. Its shape is [view_length].
    """
    keys = generator(seed, "order", session, epoch).random(fresh)
    extra = generator(seed, "order of exemplars", session, epoch).random(view_length - fresh)
    return np.argsort(np.concatenate([keys, extra]), kind="stable").astype(np.int64)


def buffered_order(
    view_length: int,
    files: npt.NDArray[np.int64],
    *,
    buffer: int,
    seed: int,
    session: int,
    epoch: int,
    places: npt.NDArray[np.int64] | None = None,
    lanes: int = 1,
) -> npt.NDArray[np.int64]:
    """Return the positions of one epoch in which files are read from end to end, through a buffer of images.

    `files` [n] says in which file each fresh image lies, `places` [n] where there (by default as they come). Files come
    in an order drawn for the epoch; `buffer` images wait, of which one at random is shown whenever the next is read.
    Exemplars are inserted at random places. All of it is a function of (seed, session, epoch). Its shape is
    [view_length].

    With several `lanes` files, exemplars and buffer are dealt to them, and they take turns image by image: of processes
    whose number divides that of the lanes and the batch's size, each reads files of its own until one lane has ended.
    """
    draws = generator(seed, "order of files", session, epoch)
    turn = np.argsort(draws.permutation(int(files.max(initial=0)) + 1), kind="stable")
    read = np.lexsort((np.arange(len(files)) if places is None else places, turn[files]))
    lane = turn[files[read]] % lanes
    extra = generator(seed, "order of exemplars", session, epoch).random(view_length - len(files))
    shown = []
    for number in range(lanes):
        fresh = _through_buffer(read[lane == number], max(buffer // lanes, 1), draws=draws)
        keys = np.concatenate([(np.arange(len(fresh)) + 0.5) / max(len(fresh), 1), extra[number::lanes]])
        positions = np.concatenate([fresh, np.arange(len(files) + number, view_length, lanes)])
        shown.append(positions[np.argsort(keys, kind="stable")])
    turns = np.concatenate([np.arange(len(positions)) for positions in shown])
    return np.concatenate(shown)[np.argsort(turns, kind="stable")]


def _through_buffer(read: npt.NDArray[np.int64], size: int, *, draws: np.random.Generator) -> npt.NDArray[np.int64]:
    waiting, shown = read[:size].tolist(), []
    for come, slot in zip(read[size:].tolist(), draws.integers(0, max(len(waiting), 1), len(read)), strict=False):
        shown.append(waiting[slot])
        waiting[slot] = come
    return np.array([*shown, *draws.permutation(waiting)], dtype=np.int64)


def steps_per_epoch(length: int, batch_size: int) -> int:
    """Return the number of batches; a last batch of a single image joins the one before (batch norm needs two)."""
    full, rest = divmod(length, batch_size)
    return max(full + (1 if rest > 1 or (rest == 1 and full == 0) else 0), 1)


class BatchOrder(Sampler[list[Item]]):
    """Batches of all epochs of a session from (epoch, step) on, a pure function of (seed, session, epoch).

    In a distributed run each rank yields its share of the same global batches.
    """

    def __init__(self, view: SessionView, *, batch_size: int, epochs: int, start: tuple[int, int] = (0, 0)) -> None:
        self.view = view
        self.batch_size = batch_size
        self.epochs = epochs
        self.start = start

    def __iter__(self) -> Iterator[list[Item]]:
        first_epoch, first_step = self.start
        steps = steps_per_epoch(len(self.view), self.batch_size)
        for epoch in range(first_epoch, self.epochs):
            positions = self.view.order(epoch)
            for step in range(first_step if epoch == first_epoch else 0, steps):
                end = len(positions) if step == steps - 1 else (step + 1) * self.batch_size
                yield mine([(epoch, position) for position in positions[step * self.batch_size : end].tolist()])


def _as_is(batch: Any) -> Any:
    return batch


def loader(
    view: SessionView, *, batch_size: int, epochs: int, start: tuple[int, int], workers: int, pin: bool
) -> DataLoader[object]:
    """Return one loader for all remaining batches of a session, so that workers start once."""
    return DataLoader(
        view,
        batch_sampler=BatchOrder(view, batch_size=batch_size, epochs=epochs, start=start),
        collate_fn=_as_is,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=leave_interrupts_to_the_run,
        # without a generator of its own every iterator would draw from the global one
        generator=torch.Generator().manual_seed(0),
    )
