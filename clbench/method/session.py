"""A session as a strategy sees it: its labels, its images, and nothing of the rest of the stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from clbench.data.pictures.read_ahead import read_ahead
from clbench.data.pictures.sources import ImageSource
from clbench.errors import RunError
from clbench.method.batch import Batch
from clbench.nn.losses import as_targets
from clbench.nn.shared.ranks import rank, world
from clbench.stream.stream import Session, positives

Rows = npt.NDArray[np.int64]

MOST_PARTS = 32
"""Into how many parts a session is cut at most whose sums processes share: as many processes shorten it."""
BATCHES_OF_A_PART = 8
"""A part costs its sums: fewer batches would add up more than they compute."""


class LiveSession:
    """One session of the stream while it is trained.

    `index`, `new` (slice of columns), `seen` and `learned` (widths), `labels` (names of the `seen` columns), `rows` and
    `targets` (int8 [n, seen], -1 unknown) describe it; `online` says that its images are shown once, in small batches.
    `images` and `batches` read pictures of this session and of rows that were stored when the session before was over,
    and of no others: test images and other images of other sessions are out of reach.

    In the second session of a stream, with two labels a session:

    >>> session.index, session.new, session.seen, session.labels
    (1, slice(2, 4, None), 4, ('person', 'chair', 'car', 'cup'))
    >>> session.targets.tolist()  # what was not asked for is unknown
    [[-1, -1, 1, 0], [-1, -1, 0, 1]]
    >>> [tuple(batch.images.shape) for batch in session.batches(size=1)]
    [(1, 3, 8, 8), (1, 3, 8, 8)]
    >>> session.images(np.array([1000]))
    Traceback (most recent call last):
      ...
    clbench.errors.RunError: session 1: row 1000 is neither an image of this session nor a stored exemplar.
      ...
    """

    def __init__(
        self,
        session: Session,
        *,
        source: ImageSource,
        device: torch.device,
        batch_size: int,
        stored: Callable[[], Rows],
        readers: int = 0,
        online: bool = False,
        structure_only: bool = False,
    ) -> None:
        self.index = session.index
        self.new = session.new
        self.seen = session.seen
        self.learned = session.learned
        self.labels = session.labels
        self.rows = session.rows
        self.targets = session.targets
        self.online = online
        self._source = source
        self._device = device
        self._batch_size = batch_size
        self._stored = stored
        self._readers = readers
        self._structure_only = structure_only

    def images(self, rows: Rows) -> Tensor:
        """Return uint8 [n, 3, S, S] on the device, without augmentation. Raises RunError for rows out of reach."""
        self._check_images_may_be_read()
        rows = np.array(rows, dtype=np.int64)
        strange = np.setdiff1d(rows, np.concatenate([self.rows, self._stored()]))
        if len(strange):
            raise RunError(
                f"session {self.index}: row {strange[0]} is neither an image of this session nor a stored exemplar.",
                hint="A strategy reads `session.rows` and what its memory held when the session before was over.",
            )
        return self._source.read(rows).to(self._device)

    def _check_images_may_be_read(self) -> None:
        if self._structure_only:
            raise RunError(
                "begin_session read images, but it only changes structure and is repeated on resume.",
                hint="Move what looks at images to `prepare(session)`.",
            )

    def positives(self) -> npt.NDArray[np.int64]:
        """Return in how many of the session's images each label is known to be present, int64 [seen]."""
        return positives(self.targets)

    def batches(self, *, size: int = 0, places: npt.NDArray[np.intp] | None = None) -> Iterator[Batch]:
        """Yield this session's images, without augmentation, as batches of `size` (default: training's).

        `places` are the positions in `rows` that are wanted, in the order wanted; by default all, in order.
        """
        size = size or self._batch_size
        if places is None:
            places = np.arange(len(self.rows))
        self._check_images_may_be_read()
        pictures = read_ahead(
            self._source, self.rows[places], batch=size, readers=self._readers, pin=self._device.type == "cuda"
        )
        for first, images in zip(range(0, len(places), size), pictures, strict=True):
            part = places[first : first + size]
            y = torch.from_numpy(self.targets[part])  # a copy: the session's own is read-only
            yield Batch(
                images=images.to(self._device, non_blocking=True),
                targets=as_targets(y).to(self._device),
                rows=torch.from_numpy(self.rows[part]),
                replayed=torch.zeros(len(part), dtype=torch.bool, device=self._device),
            )

    def parts(self, *, size: int = 0) -> Iterator[Iterator[Batch]]:
        """Yield, part by part, the batches that fall to this process where several share the run; alone, all of them.

        A session has a part for every 8 batches, at least one and at most 32, of whole batches in the order of `rows`.
        Process r of w has parts r, r + w, ...; each is given as many, of which the last may be empty. Parts and batches
        do not depend on the number of processes, so that sums over them need not either
        (`clbench.nn.closed_form.in_order`).
        """
        size = size or self._batch_size
        batches = -(-len(self.rows) // size)
        parts = min(max(batches // BATCHES_OF_A_PART, 1), MOST_PARTS)
        for first in range(0, parts, world()):
            part = first + rank()
            begin, end = (size * (batches * min(one, parts) // parts) for one in (part, part + 1))
            yield self.batches(size=size, places=np.arange(begin, min(end, len(self.rows))))
