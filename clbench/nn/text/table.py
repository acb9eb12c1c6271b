"""A vector of text for every label, read from a file: no text network runs here."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from clbench.errors import DataError, UsageError, suggest
from clbench.files.given import LARGEST_TABLE, open_given, read_given

MAKE = "numpy.savez(FILE, names=[...], vectors=[...]) makes one."


@dataclass(frozen=True, eq=False)
class TextTable:
    """Label names, one unit vector [n, e] each, and a map [e, width] to their space where the image tower needs it."""

    path: Path
    names: tuple[str, ...]
    vectors: Tensor
    projection: Tensor | None

    def rows(self, labels: Sequence[str]) -> Tensor:
        """Return the vectors [L, e] of `labels`. Raises DataError that names the labels without one."""
        place = {name: i for i, name in enumerate(self.names)}
        lacking = [label for label in labels if label not in place]
        if lacking:
            more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            raise DataError(
                f"{self.path}: no vector for {len(lacking)} of {len(labels)} labels: {', '.join(lacking[:5])}{more}."
                f"{suggest(lacking[0], self.names)}",
                hint="Names are compared to the letter; `clbench show SCENARIO` lists the labels.",
            )
        return self.vectors[[place[label] for label in labels]]

    def check(self, labels: Sequence[str], *, width: int) -> None:
        """Raise DataError where a label has no vector, UsageError where image features of `width` do not fit."""
        needed = self.rows(labels).shape[1] if self.projection is None else self.projection.shape[1]
        if needed != width:
            raise UsageError(
                f"clip: {self.path} is made for image features of width {needed}, the backbone gives {width}.",
                hint="Name the image tower that goes with the texts (train.backbone, train.weights), or put its last "
                "map into the file as `projection`.",
            )


def read_text_table(file: str) -> TextTable:
    """Return the table in an `.npz` file: `names` [n], `vectors` [n, e] and, perhaps, `projection` [width, e].

    Vectors are scaled to length 1. Raises DataError for what is missing, of another shape, not finite, zero, or twice.
    """
    path = Path(file).expanduser()
    try:
        with open_given(path, largest=LARGEST_TABLE) as opened, np.load(opened, allow_pickle=False) as stored:
            found = {name: stored[name] for name in stored.files if name in ("names", "vectors", "projection")}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"clip.table: {path} is not an .npz file of plain arrays ({error}).", hint=MAKE) from error
    for name in ("names", "vectors"):
        if name not in found:
            raise DataError(f"{path}: it holds no array '{name}'.", hint=MAKE)
    names, vectors, projection = found["names"], found["vectors"], found.get("projection")
    _check(path, "names", names, kind="U", shape=(None,))
    _check(path, "vectors", vectors, kind="f", shape=(len(names), None))
    if projection is not None:
        _check(path, "projection", projection, kind="f", shape=(None, vectors.shape[1]))
    listed = names.tolist()
    twice = sorted({name for name in listed if listed.count(name) > 1})
    if twice:
        raise DataError(f"{path}: '{twice[0]}' has two vectors.", hint="Give every label one.")
    zero = np.flatnonzero(~vectors.any(axis=1))
    if len(zero):
        raise DataError(f"{path}: the vector of '{listed[zero[0]]}' is zero.", hint="A direction is what counts.")
    return TextTable(
        path,
        tuple(listed),
        functional.normalize(torch.from_numpy(vectors.astype(np.float32)), dim=1),
        None if projection is None else torch.from_numpy(projection.astype(np.float32).T.copy()),
    )


def file_digest(file: str) -> str:
    """Return the sha256 of the file. Raises DataError where it cannot be read."""
    path = Path(file).expanduser()
    try:
        return hashlib.sha256(read_given(path, largest=LARGEST_TABLE)).hexdigest()
    except OSError as error:
        raise DataError(f"clip.table: {path} cannot be read ({error.strerror or error}).", hint=MAKE) from error


def random_vectors(sources: Sequence[np.random.Generator], *, width: int) -> Tensor:
    """Return a random unit vector [L, width] from each source: a text that no language is in."""
    drawn = np.stack([source.standard_normal(width) for source in sources])
    return functional.normalize(torch.from_numpy(drawn).float(), dim=1)


def _check(path: Path, name: str, array: npt.NDArray[Any], *, kind: str, shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if array.dtype.kind != kind or not fits or not array.size:
        wanted = " x ".join("any" if size is None else str(size) for size in shape)
        what = "text" if kind == "U" else "floating-point numbers"
        raise DataError(
            f"{path}: {name} is {array.dtype} of shape {array.shape}, expected {what}, {wanted}.", hint=MAKE
        )
    if kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{path}: {name} holds values that are no numbers.", hint=MAKE)
