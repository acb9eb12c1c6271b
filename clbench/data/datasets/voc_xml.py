"""The XML annotations of PASCAL VOC, read to see whether they agree with the official lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.voc import ABSENT, DIFFICULT, LABELS, POSITIVE
from clbench.errors import DataError

MAX_BYTES = 10_000_000


def marks(home: Path, ids: Sequence[str], *, name: str) -> npt.NDArray[np.int8]:
    """Return int8 [images, 20] in the values of the lists: 1 an object, 0 only difficult ones, -1 none.

    Raises DataError for an object that is none of the 20 labels.
    """
    found = np.full((len(ids), len(LABELS)), ABSENT, dtype=np.int8)
    column = {label: index for index, label in enumerate(LABELS)}
    for row, image in enumerate(ids):
        path = home / "Annotations" / f"{image}.xml"
        for label, difficult in objects(path, name=name):
            if label not in column:
                raise DataError(f"{name}: {path}: object '{label}' is none of the 20 labels.")
            mark = DIFFICULT if difficult else POSITIVE
            found[row, column[label]] = max(found[row, column[label]], mark)
    return found


def objects(path: Path, *, name: str) -> list[tuple[str, bool]]:
    """Return (label, difficult) of every object in an annotation; parts of objects are not objects.

    Raises DataError for a file that is missing, is not well-formed XML or declares entities.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{name}: {path} cannot be read ({error.strerror}).", hint=f"clbench data get {name}"
        ) from error
    if len(data) > MAX_BYTES:
        raise DataError(f"{name}: {path} has {len(data):,} bytes; an annotation here has at most {MAX_BYTES:,}.")
    reader = _Reader()
    try:
        reader.parse(data)
    except (expat.ExpatError, ValueError, LookupError) as error:  # an encoding nobody knows is a LookupError
        raise DataError(f"{name}: {path} is not a VOC annotation: {error}.", hint=f"clbench data get {name}") from error
    return reader.found


class _Reader:
    """An expat parser that keeps the name and difficult of objects and refuses entities (they can grow without end)."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bool]] = []
        self.place: list[str] = []
        self.fields: dict[str, str] = {}

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        parser.Parse(data, True)

    def _start(self, tag: str, _: dict[str, str]) -> None:
        self.place.append(tag)
        if self.place == ["annotation", "object"]:
            self.fields = {}

    def _end(self, _: str) -> None:
        if self.place == ["annotation", "object"]:
            label, difficult = self.fields.get("name", "").strip(), self.fields.get("difficult", "0").strip()
            if not label or difficult not in ("0", "1"):
                raise ValueError(f"an object has name {label!r} and difficult {difficult!r}")
            self.found.append((label, difficult == "1"))
        self.place.pop()

    def _text(self, text: str) -> None:
        if len(self.place) == 3 and self.place[:2] == ["annotation", "object"]:
            self.fields[self.place[2]] = self.fields.get(self.place[2], "") + text

    def _entity(self, *_: object) -> None:
        raise ValueError("it declares an entity")
