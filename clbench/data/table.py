"""The label table: a data set without its pixels."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clbench.errors import DataError, UsageError, suggest

SPLITS = ("train", "test")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, eq=False)
class LabelTable:
    """Which labels each image of a data set carries, and on which side of the split it lies.

    `labels` are in the official order of the data set. `ids` [N] are unique; `paths` [N] are relative, with forward
    slashes. `y` [N, K] is int8: 1 positive, 0 negative, -1 unknown. `member` [N, K] is true where the image belongs to
    the label's pool, which decides session membership: wherever `y` is 1, and where the reader's policy says so.
    `split` [N] is "train" or "test". `notes` is what must be said of how the table was read, and no content.
    The arrays are read-only. Raises DataError when anything of this does not hold.
    """

    name: str
    revision: str
    labels: tuple[str, ...]
    ids: npt.NDArray[np.str_]
    paths: npt.NDArray[np.str_]
    y: npt.NDArray[np.int8]
    member: npt.NDArray[np.bool_]
    split: npt.NDArray[np.str_]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("ids", "paths", "y", "member", "split"):
            frozen = np.ascontiguousarray(getattr(self, field)).view()
            frozen.flags.writeable = False
            object.__setattr__(self, field, frozen)
        object.__setattr__(self, "labels", tuple(self.labels))
        self.validate()

    def __len__(self) -> int:
        return len(self.ids)

    def validate(self) -> None:
        """Check every promise of the table; raise DataError naming the first that is broken."""
        check_labels(self.name, self.labels)
        _check_shapes(self)
        _check_texts(self.name, "id", self.ids)
        _check_unique(self.name, self.ids)
        # paths may repeat: some data sets list one photo under two ids (NUS-WIDE does, six times)
        _check_texts(self.name, "path", self.paths)
        check_paths(self.name, self.paths)
        _check_values(self)
        _check_split(self.name, self.split)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the rows of one split, "train" or "test", sorted by image id."""
        rows = np.flatnonzero(self.split == split)
        return rows[np.argsort(self.ids[rows], kind="stable")]

    def positives(self, split: str) -> npt.NDArray[np.int64]:
        """Return how many images of a split carry each label, int64 [labels]."""
        counts: npt.NDArray[np.int64] = (self.y[self.split == split] == 1).sum(axis=0)
        return counts

    def known(self, split: str) -> npt.NDArray[np.int64]:
        """Return of how many images of a split each label is known, present or absent, int64 [labels]."""
        counts: npt.NDArray[np.int64] = (self.y[self.split == split] >= 0).sum(axis=0)
        return counts

    def truth(self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return labels int8 [rows, order], columns in that order."""
        return np.take(self.y[rows], order, axis=1)

    def targets(
        self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64], *, shown: slice, width: int
    ) -> npt.NDArray[np.int8]:
        """Return labels int8 [rows, width] in the column order `order`, unknown outside `shown`; read-only."""
        targets = np.full((len(rows), width), -1, dtype=np.int8)
        targets[:, shown] = np.take(self.y[rows], order[shown], axis=1)
        targets.flags.writeable = False
        return targets

    def digest(self) -> str:
        """Return a SHA-256 of the table that no row order changes and every other change of content does.

        Where an image lies on a disk is not content: `paths` are left out, so two copies of a data set in different
        folder layouts agree. Readers whose ids do not determine the file put the pairing into `revision`.
        """
        order = np.argsort(self.ids, kind="stable")
        head = [self.name, self.revision, list(self.labels)]
        texts = [self.ids[order].tolist(), self.split[order].tolist()]
        hasher = hashlib.sha256(b"clbench label table 1\n")
        for part in (head, *texts):
            hasher.update(json.dumps(part, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        hasher.update(np.ascontiguousarray(self.y[order]).data)
        hasher.update(np.ascontiguousarray(self.member[order]).data)
        return hasher.hexdigest()


def from_arrays(
    name: str,
    *,
    labels: Sequence[str],
    y: npt.ArrayLike,
    split: npt.ArrayLike,
    ids: npt.ArrayLike | None = None,
    paths: npt.ArrayLike | None = None,
    member: npt.ArrayLike | None = None,
    revision: str = "",
) -> LabelTable:
    """Build a label table from plain arrays, filling in what is left out.

    `y` [N, K] holds 1, 0 and -1 in any numeric type; `split` [N] holds "train" and "test". `ids` default to the row
    numbers, `paths` to the ids with ".jpg", `member` to `y == 1`, `revision` to the name. Raises DataError as
    LabelTable does, and when `y` holds anything that is not a whole number (NaN included).
    """
    whole = label_matrix(y, name=name)
    texts = np.asarray([f"{i:08d}" for i in range(len(whole))] if ids is None else ids, dtype=np.str_)
    files = np.asarray([f"{i}.jpg" for i in texts.tolist()] if paths is None else paths, dtype=np.str_)
    pool = whole == 1 if member is None else np.asarray(member)
    if pool.dtype != np.bool_:
        raise DataError(f"{name}: member must be boolean, found {_describe(pool)}.")
    return LabelTable(
        name=name,
        revision=revision or name,
        labels=tuple(labels),
        ids=texts,
        paths=files,
        y=whole,
        member=pool,
        split=np.asarray(split, dtype=np.str_),
    )


def label_matrix(y: npt.ArrayLike, *, name: str) -> npt.NDArray[np.int8]:
    """Return `y` as int8 [images, labels]. Raises DataError for anything but 1, 0 and -1 in it, NaN included."""
    matrix = np.asarray(y)
    if matrix.dtype.kind not in "biuf" or matrix.ndim != 2:
        raise DataError(f"{name}: y must be a numeric matrix [images, labels], found {_describe(matrix)}.")
    if matrix.size and matrix.dtype.kind != "f" and matrix.min() >= -1 and matrix.max() <= 1:
        return matrix.astype(np.int8)  # looking each entry up takes 13 bytes for it, which large tables have not
    exact = np.isin(matrix, (-1, 0, 1))
    if not exact.all():
        row, column = (int(i) for i in np.argwhere(~exact)[0])
        raise DataError(f"{name}: y[{row}, {column}] is {matrix[row, column]!s}, expected 1, 0 or -1.")
    return matrix.astype(np.int8)


def labels_without_positives(table: LabelTable, *, split: str) -> tuple[str, ...]:
    """Return the labels that no image of `split` carries, in table order."""
    return tuple(label for label, count in zip(table.labels, table.positives(split).tolist(), strict=True) if not count)


def check_known(table: LabelTable, keep: npt.NDArray[np.bool_]) -> None:
    """Raise DataError for the first label, of those that `keep` [labels] names, that is never known in test."""
    never = np.flatnonzero(keep & (table.known("test") == 0))
    if len(never):
        raise DataError(
            f"{table.name}: the label {table.labels[never[0]]!r} is never known in test"
            + (f" (and {len(never) - 1:,} more labels)." if len(never) > 1 else "."),
            hint="No measure could be taken of it; min_test_positives=1 leaves such labels out.",
        )


def check_paths(name: str, paths: npt.NDArray[np.str_]) -> None:
    """Raise DataError for the first path that is not relative, or could leave the root folder.

    `paths` is [n], one for each image.
    """
    texts = paths.tolist()
    joined = "\n".join(["", *texts, ""])
    # the loop below is slow at 270,000 rows and is needed only when one of these marks occurs at all
    if not any(mark in joined for mark in ("..", "\\", ":", "//", "\n/", "/\n", "./", "/.\n", "\n.\n")):
        return
    for row, path in enumerate(texts):
        parts = path.split("/")
        if "\\" in path or _DRIVE.match(path) or any(part in ("", ".", "..") for part in parts):
            raise DataError(
                f"{name}: row {row} has path {path!r}, which is not a plain path below the data folder.",
                hint="Write paths relative to the data folder, with forward slashes and without '.', '..' or a drive.",
            )


def check_labels(name: str, labels: tuple[str, ...]) -> None:
    """Raise DataError for a table without labels, and for a label that is no text or is there twice."""
    if not labels:
        raise DataError(f"{name}: the table has no labels.")
    for index, label in enumerate(labels):
        if not isinstance(label, str) or not label.strip() or label != label.strip() or _CONTROL.search(label):
            raise DataError(f"{name}: label {index} is {label!r}, expected text without surrounding blanks.")
    if len(set(labels)) != len(labels):
        twice = next(label for i, label in enumerate(labels) if label in labels[:i])
        raise DataError(f"{name}: label {twice!r} occurs twice.")


def named_labels(name: str, labels: tuple[str, ...], text: str) -> npt.NDArray[np.bool_] | None:
    """Return which of `labels` the option `labels` names, bool [K]; None where it names none.

    `text` is the option's, `name` the table's, for messages. Raises UsageError for a label that is not there.
    """
    wanted = [label.strip() for label in text.split(";") if label.strip()]
    for label in wanted:
        if label not in labels:
            raise UsageError(f"{name}: option labels: there is no label '{label}'.{suggest(label, labels)}")
    return np.isin(labels, wanted) if wanted else None


def _check_shapes(table: LabelTable) -> None:
    n, k = len(table.ids), len(table.labels)
    wanted = {
        "ids": ("U", (n,)),
        "paths": ("U", (n,)),
        "split": ("U", (n,)),
        "y": ("i", (n, k)),
        "member": ("b", (n, k)),
    }
    for field, (kind, shape) in wanted.items():
        array = getattr(table, field)
        if array.dtype.kind != kind or array.shape != shape or (field == "y" and array.dtype != np.int8):
            words = {"U": "text", "i": "int8", "b": "boolean"}[kind]
            raise DataError(f"{table.name}: {field} must be {words} {list(shape)}, found {_describe(array)}.")
    if n == 0:
        raise DataError(f"{table.name}: the table has no images.")


def _check_texts(name: str, what: str, array: npt.NDArray[np.str_]) -> None:
    texts = array.tolist()
    joined = "".join(texts)
    if _CONTROL.search(joined) or not _encodable(joined) or not all(texts):
        for row, text in enumerate(texts):
            if not text or _CONTROL.search(text) or not _encodable(text):
                raise DataError(f"{name}: row {row} has {what} {text!r}, expected printable text.")


def _check_unique(name: str, ids: npt.NDArray[np.str_]) -> None:
    texts = ids.tolist()
    if len(set(texts)) == len(texts):
        return
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        if first.setdefault(text, row) != row:
            raise DataError(f"{name}: id {text!r} occurs twice, in rows {first[text]} and {row}.")


def _check_values(table: LabelTable) -> None:
    if table.y.min() < -1 or table.y.max() > 1:
        row, column = (int(i) for i in np.argwhere((table.y < -1) | (table.y > 1))[0])
        raise DataError(
            f"{table.name}: y of image {str(table.ids[row])!r}, label {table.labels[column]!r} is "
            f"{int(table.y[row, column])}, expected 1, 0 or -1."
        )
    outside = (table.y == 1) & ~table.member
    if outside.any():
        row, column = (int(i) for i in np.argwhere(outside)[0])
        raise DataError(
            f"{table.name}: image {str(table.ids[row])!r} is positive for {table.labels[column]!r} but not in its pool."
        )


def _check_split(name: str, split: npt.NDArray[np.str_]) -> None:
    found = set(split.tolist())
    if not found <= set(SPLITS):
        row = int(np.flatnonzero(~np.isin(split, SPLITS))[0])
        raise DataError(f"{name}: row {row} has split {str(split[row])!r}, expected 'train' or 'test'.")
    for wanted in SPLITS:
        if wanted not in found:
            raise DataError(f"{name}: the table has no {wanted} images.", hint="Every table needs both splits.")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _describe(array: npt.NDArray[np.generic]) -> str:
    return f"{array.dtype} {list(array.shape)}"
