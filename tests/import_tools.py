"""What tests of importers share: photos, an import, and what its table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from data_makers import put
from PIL import Image

from clbench.data.datasets.registry import open_table
from clbench.data.importers.import_export import Imported, Wish, import_export


def photos(folder: Path, *names: str) -> Path:
    """Write photos of which no two are equal."""
    for name in names:
        put(folder / name)
        shade = sum(map(ord, str(folder / name))) % 256
        pixels = np.full((8, 8, 3), shade, dtype=np.uint8)
        pixels[0, : len(name) % 8] = hash_of(name)
        Image.fromarray(pixels).save(folder / name)
    return folder


def hash_of(text: str) -> int:
    return sum(index * ord(letter) for index, letter in enumerate(text, 1)) % 251


def imported(source: Path, *, to: Path | None = None, **wish: object) -> Imported:
    return import_export(source, to=to or source.parent / "out", wish=Wish(**wish))  # type: ignore[arg-type]


def said(done: Imported) -> dict[str, str]:
    """Return per photo its split and marks in label order as the suite reads the table back: + - ?, by file name."""
    table = open_table(str(done.file), root=None, options={})
    assert list(table.labels) == done.table.labels
    marks = {1: "+", 0: "-", -1: "?"}
    return {
        Path(path).name: f"{split} {''.join(marks[mark] for mark in row)}"
        for path, split, row in zip(table.paths.tolist(), table.split.tolist(), table.y.tolist(), strict=True)
    }


def notes(done: Imported) -> str:
    """Return what the import said, which is also what its report says."""
    text = "\n".join(done.notes)
    assert all(note in done.report.read_text() for note in done.notes)
    return text
