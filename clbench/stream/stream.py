"""What a stream is: ordered sessions of images and labels, and their digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

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
    `per_session` has one line each, "TRAIN/TEST IMAGES SKETCH LABELS SKETCH": the image counts, a digest of the ids and
    a sketch that can name one that differs, then the same for the visible positive and unknown labels.
    """

    images: str
    labels: str
    per_session: tuple[str, ...]


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
        return np.take(self.table.y[rows], self.order, axis=1)

    def digest(self) -> StreamDigest:
        """Return the digests of this stream."""
        return self._digest

    @cached_property
    def _digest(self) -> StreamDigest:
        return stream_digest(self)


def stream_digest(stream: Stream) -> StreamDigest:
    """Return the digests of `stream`."""
    ids = stream.table.ids.tolist()
    key = keys(stream.table.ids)

    def listed(rows: npt.NDArray[np.int64]) -> str:
        return "\n".join(ids[row] for row in rows.tolist())

    images, labels, lines = [], [], []
    earlier = np.zeros(len(ids), dtype=np.bool_)
    for session in stream.sessions:
        new = list(session.labels[session.new])
        images.append(_sha([new, session.seen], [listed(session.rows), listed(session.test_rows)]))
        labels.append(_sha([images[-1]], [session.targets.tobytes()]))
        arrived = np.concatenate([session.rows, session.test_rows[~earlier[session.test_rows]]])
        earlier[session.test_rows] = True
        marks, numbers = _marks(session)
        lines.append(
            f"{len(session.rows)}/{len(session.test_rows)} {images[-1][:16]} {sketch(key[arrived])} "
            f"{labels[-1][:16]} {sketch(key[session.rows][marks], number=numbers)}"
        )
    head = [PROTOCOL, list(stream.labels)]
    all_images = _sha([*head, images], [listed(stream.test_rows), listed(stream.val_rows)])
    truth = stream.truth(stream.test_rows)
    return StreamDigest(all_images, _sha([*head, all_images, labels], [truth.tobytes()]), tuple(lines))


def _marks(session: Session) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return image position and number (twice the column, plus one where unknown) of every cell that is not 0."""
    first = np.argmax((session.targets != -1).any(axis=0)) if len(session.targets) else 0
    image, column = np.nonzero(session.targets[:, first:])
    unknown = session.targets[image, column + first] == -1
    return image, 2 * (column + first) + unknown


def _sha(head: list[object], bodies: list[str | bytes]) -> str:
    hasher = hashlib.sha256(json.dumps(head, ensure_ascii=True, separators=(",", ":")).encode())
    for body in bodies:
        raw = body.encode() if isinstance(body, str) else body
        hasher.update(f"\n{len(raw)}\n".encode())
        hasher.update(raw)
    return hasher.hexdigest()
