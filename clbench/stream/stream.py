"""What a stream is: ordered sessions of images and labels, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from clbench.data.sparse.merged import in_lists
from clbench.data.sparse.table import SparseTable, texts_in_order
from clbench.data.table import LabelTable
from clbench.stream.pins.sketch import keys, sketch

Rows = npt.NDArray[np.int64]

PROTOCOL = "clbench stream 1"


@dataclass(frozen=True, eq=False)
class Session:
    """One step of a stream: which images, which labels are new, and what the annotator marked.

    `new` is the slice of arrival columns that this session introduces and `learned` their number up to here. `targets`
    is int8 [images, seen]: 1 positive, 0 negative, -1 not known; `labels` names its columns. `seen` equals `learned`,
    except where the scenario shows all labels from the start. `rows` (train) and `test_rows` (the growing test set)
    are rows of the label table, both sorted by image id. Labels that are hidden in this session are nowhere in here.
    """

    index: int
    new: slice
    seen: int
    learned: int
    labels: tuple[str, ...]
    rows: Rows
    targets: npt.NDArray[np.int8]
    test_rows: Rows


@dataclass(frozen=True)
class StreamDigest:
    """Digests of a stream, none of which depends on the order of the table's rows.

    `images` (sha256) covers the label names in arrival order, every session's train and growing test ids, the fixed
    test ids and the validation ids. `labels` (sha256) covers that and all values of the targets and of the test truth.
    """

    images: str
    labels: str
    lines: Callable[[], tuple[str, ...]] = field(compare=False, repr=False)

    @cached_property
    def per_session(self) -> tuple[str, ...]:
        """One line for each session, made when somebody asks: "TRAIN/TEST IMAGES SKETCH LABELS SKETCH".

        The image counts, a digest of the ids and a sketch that can name one that differs, then the same for the visible
        positive and unknown labels.
        """
        return self.lines()


@dataclass(frozen=True, eq=False)
class Stream:
    """The sessions of a scenario over a label table, with all columns in arrival order.

    `order` [K] maps an arrival column to the table's column. `test_rows` is the fixed test set. `val_rows` is the
    locked validation set: cut from train, never in a session, possibly empty. All rows are sorted by image id.
    """

    table: LabelTable
    order: Rows
    labels: tuple[str, ...]
    sessions: tuple[Session, ...]
    test_rows: Rows
    val_rows: Rows

    def truth(self, rows: Rows) -> npt.NDArray[np.int8]:
        """Return the labels of table rows, int8 [rows, K] in arrival order; for evaluation, never for training."""
        return self.table.truth(rows, self.order)

    def read_truth(self, rows: Rows) -> npt.NDArray[np.int8]:
        """Return what `truth` does; of a table of lists a view, of which only what is indexed becomes dense."""
        return self.table.targets(rows, self.order, shown=slice(None), width=len(self.order))

    def digest(self) -> StreamDigest:
        """Return the digests of this stream."""
        return self._digest

    @cached_property
    def _digest(self) -> StreamDigest:
        return stream_digest(self)


def positives(targets: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return in how many images of a session [images, seen] each label is marked as present, int64 [seen]."""
    if lists := in_lists(targets):
        return lists.counts(1)
    counts: npt.NDArray[np.int64] = (targets == 1).sum(axis=0)
    return counts


def known(targets: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return in how many images of a session [images, seen] each label is known, int64 [seen]."""
    lists = in_lists(targets)
    unknown: npt.NDArray[np.int64] = (targets == -1).sum(axis=0) if lists is None else lists.counts(-1)
    return len(targets) - unknown


def without_positives(stream: Stream) -> list[str]:
    """Return the labels, in arrival order, that no image of the fixed test set is known to have: they have no AP."""
    missing = np.flatnonzero(positives(stream.read_truth(stream.test_rows)) == 0)
    return [stream.labels[column] for column in missing.tolist()]


def stream_digest(stream: Stream) -> StreamDigest:
    """Return the digests of `stream`."""
    listed = _listing(stream.table)
    images, labels = [], []
    for session in stream.sessions:
        new = list(session.labels[session.new])
        images.append(_sha([new, session.seen], [listed(session.rows), listed(session.test_rows)]))
        labels.append(_sha([images[-1]], [_matrix(session.targets)]))
    truth = stream.read_truth(stream.test_rows)
    head = [PROTOCOL, list(stream.labels)]
    all_images = _sha([*head, images], [listed(stream.test_rows), listed(stream.val_rows)])
    all_labels = _sha([*head, all_images, labels], [_matrix(truth)])
    return StreamDigest(all_images, all_labels, lambda: _lines(stream, images, labels))


def _lines(stream: Stream, images: list[str], labels: list[str]) -> tuple[str, ...]:
    key = keys(stream.table.ids)
    lines = []
    earlier = np.zeros(len(key), dtype=np.bool_)
    for session, image_digest, label_digest in zip(stream.sessions, images, labels, strict=True):
        arrived = np.concatenate([session.rows, session.test_rows[~earlier[session.test_rows]]])
        earlier[session.test_rows] = True
        marks, numbers = _marks(session)
        lines.append(
            f"{len(session.rows)}/{len(session.test_rows)} {image_digest[:16]} {sketch(key[arrived])} "
            f"{label_digest[:16]} {sketch(key[session.rows][marks], number=numbers)}"
        )
    return tuple(lines)


Body = tuple[int, Iterable[bytes | memoryview]]
"""A length in bytes and as many bytes, in pieces."""


def _listing(table: LabelTable) -> Callable[[Rows], Body]:
    """Return what writes the ids of rows, a line each."""
    if isinstance(table, SparseTable):

        def pieces(rows: Rows) -> Body:
            found = list(texts_in_order(table.ids, rows))
            return sum(map(len, found)), found

        return pieces
    ids = table.ids.tolist()

    def whole(rows: Rows) -> Body:
        text = "\n".join([ids[row] for row in rows.tolist()]).encode()
        return len(text), [text]

    return whole


def _matrix(targets: npt.NDArray[np.int8]) -> Body:
    if lists := in_lists(targets):
        return lists.size, (block.data for block in lists.blocks())
    return targets.nbytes, [targets.tobytes()]


def _marks(session: Session) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return image position and number (twice the column, plus one where unknown) of every cell that is not 0."""
    first = int(np.argmax(known(session.targets) > 0)) if len(session.targets) else 0
    found, at = [], 0
    lists = in_lists(session.targets)
    for block in [session.targets] if lists is None else lists.blocks():
        image, column = np.nonzero(block[:, first:])
        unknown = block[image, column + first] == -1
        found.append((image + at, 2 * (column + first) + unknown))
        at += len(block)
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    return np.concatenate([image for image, _ in found]), np.concatenate([number for _, number in found])


def _sha(head: list[object], bodies: list[Body]) -> str:
    hasher = hashlib.sha256(json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode())
    for length, pieces in bodies:
        hasher.update(f"\n{length}\n".encode())
        for piece in pieces:
            hasher.update(piece)
    return hasher.hexdigest()
