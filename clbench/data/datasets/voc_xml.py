"""The XML annotations of PASCAL VOC, read to see whether they agree with the official lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.voc import ABSENT, DIFFICULT, LABELS, POSITIVE
from clbench.data.xml_tree import read_xml
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
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes, which none has.")
        listed = read_xml(path, root="annotation").findall("object")
        found = [
            tuple(one.findtext(field, default).strip() for field, default in (("name", ""), ("difficult", "0")))
            for one in listed
        ]
        for label, difficult in found:
            if not label or difficult not in ("0", "1"):
                raise DataError(f"{path}: an object has name {label!r} and difficult {difficult!r}.")
    except DataError as error:
        raise DataError(f"{name}: not a VOC annotation: {error.message}", hint=f"clbench data get {name}") from error
    return [(label, difficult == "1") for label, difficult in found]
