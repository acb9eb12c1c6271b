"""Hugging Face: Parquet with a list of class labels and, as a rule, the photos in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from clbench.data.datasets.dataset import Option
from clbench.data.importers.export import ABSENT, PRESENT, UNKNOWN, Entry, Export, Form, named_once, split_of
from clbench.data.importers.source import Source
from clbench.data.own_table import cells
from clbench.errors import DataError, UsageError
from clbench.files.given import LARGEST_ANY, look_at

OPTIONS = (
    Option("labels", "", "the column of the labels, where several could be it", kind="text"),
    *cells.OPTIONS,
)
FILES = ("image", "file_name", "file", "path")
KINDS = {
    b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"RIFF": ".webp", b"BM": ".bmp",
    b"II*\0": ".tif", b"MM\0*": ".tif",
}  # fmt: skip
MARKS = {1: PRESENT, 0: ABSENT, -1: UNKNOWN}


def fits(source: Source) -> list[str]:
    """Return the Parquet files."""
    return source.ending(".parquet")


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return what Parquet files say. Positions are read with the names of their own file, whatever their order.

    Raises DataError where no column holds photos.
    """
    export, taken, held = Export([], read=files), set[str](), dict[tuple[str, bytes], str]()
    before = 0
    for file in files:
        table, features = _table(source, file)
        column = _label_column(table, features, wanted=options["labels"], place=source.place(file))
        names = _names(features.get(column, {}))
        if names is not None:
            _same_names(export, names, place=source.place(file), first=source.place(files[0]), file=file)
        split = split_of(file) or split_of(str(PurePosixPath(file).parent))
        photo = _photo_column(table.column_names, features, place=source.place(file))
        columns = [name for name in table.column_names if name not in (photo, column)]
        rows = table.select([*columns, photo, column]).to_pylist()
        listed = _marks([row[column] for row in rows], names, place=source.place(file), options=options, export=export)
        for number, (row, marks) in enumerate(zip(rows, listed, strict=True)):
            place = f"{source.place(file)}: row {number}"
            numbered = f"{PurePosixPath(file).stem}_{number:06d}"
            name, picture = _photo(row[photo], numbered=numbered, folder=split or "all", taken=taken, place=place)
            if picture is not None:  # a photo that is there twice is one photo
                name = held.setdefault((split, hashlib.sha256(picture).digest()), name)
            facts = {key: str(row[key]) for key in columns if isinstance(row[key], str | int)}
            entry = Entry(name, place, split=split, columns=facts, picture=picture)
            entry.bases = (PurePosixPath(file).parent.as_posix(),) if picture is None else ()
            entry.marks, entry.row = marks, before + number
            export.entries.append(entry)
        before += len(rows)
    return export


def has_pyarrow() -> bool:
    """Say whether Parquet can be read here."""
    return find_spec("pyarrow") is not None


def held_in(path: Path) -> str:
    """Return the column of a Parquet file that holds its photos, empty where they are files elsewhere.

    Raises DataError for a file that is cut, or has no column of photos.
    """
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            column = _photo_column(file.schema_arrow.names, _features(file.schema_arrow), place=str(path))
            first = next(file.iter_batches(batch_size=1, columns=[column]), None)
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as Parquet: {error}.", hint="Fetch it again.") from error
    value = first.to_pylist()[0][column] if first is not None and len(first) else None
    return column if isinstance(value, dict) and value.get("bytes") else ""


def _photo_column(names: list[str], features: Mapping[str, Any], *, place: str) -> str:
    images = [name for name in names if _kind(features.get(name)) == "Image"]
    found = [*images, *(name for name in FILES if name in names)]
    if not found:
        raise DataError(f"{place}: no column of photos.", hint=f"Found: {names}")
    return found[0]


def _table(source: Source, file: str) -> tuple[Any, dict[str, Any]]:
    """Return the Arrow table and the features that `datasets` notes in its schema."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise UsageError(
            f"{source.place(file)}: Parquet needs pyarrow.", hint="pip install -e '.[import]', in the checkout"
        ) from error
    try:
        look_at(source.root / file, largest=LARGEST_ANY)
        table = parquet.read_table(source.root / file)
        return table, _features(table.schema)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{source.place(file)}: not readable as Parquet: {error}.", hint="Fetch it again.") from error


def _features(schema: Any) -> dict[str, Any]:
    """Return the features that `datasets` notes in a schema."""
    content = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    for key in ("info", "features"):
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def _label_column(table: Any, features: Mapping[str, Any], *, wanted: str, place: str) -> str:
    if wanted:
        if wanted not in table.column_names:
            raise UsageError(f"{place}: option labels: no column {wanted!r}; found {', '.join(table.column_names)}.")
        return wanted
    found = [name for name, feature in features.items() if _names(feature) is not None]
    found = found or [name for name in ("labels", "label", "tags", "classes") if name in table.column_names]
    if len(found) != 1:
        which = f"several columns could be the labels: {', '.join(found)}" if found else "no column of labels"
        raise DataError(
            f"{place}: {which}.", hint=f"Name it: --option labels=COLUMN. Found: {', '.join(table.column_names)}"
        )
    return found[0]


def _names(feature: Any) -> list[str] | None:
    """Return the names of a ClassLabel, alone or in a Sequence or List; None for any other feature."""
    inner = feature.get("feature", feature) if isinstance(feature, dict) else feature
    if isinstance(inner, list) and len(inner) == 1:  # [ClassLabel], as older versions wrote it
        inner = inner[0]
    return inner.get("names") if isinstance(inner, dict) and _kind(inner) == "ClassLabel" else None


def _kind(feature: Any) -> object:
    return feature.get("_type") if isinstance(feature, dict) else None


def _same_names(export: Export, names: list[str], *, place: str, first: str, file: str) -> None:
    if export.labels is None:
        export.labels = named_once(names, what=place, notes=export.notes)
    elif set(export.labels) != {name.strip() for name in names}:
        odd = sorted(set(export.labels) ^ {name.strip() for name in names})[0]
        raise DataError(
            f"{place}: its class names are not those of {first}: only one of them has {odd!r}.",
            hint="Import files of one data set, or each apart.",
        )
    elif export.labels != [name.strip() for name in names]:
        export.notes.append(f"{file}: its class names stand in another order; they are read by name")


def _marks(
    values: list[Any], names: list[str] | None, *, place: str, options: Mapping[str, str], export: Export
) -> list[dict[str, int]]:
    """Return the labels of every row: words, positions in `names`, or, when asked for, a 1, 0 or -1 for each name."""
    if names is None and all(isinstance(value, str) for value in values):
        texts = [cells.Cell(f"{place}: row {number}", value.strip()) for number, value in enumerate(values)]
        found = cells.read_cells(texts, separator=options["separator"], form=options["cells"])
        export.notes += found.notes
        return [dict.fromkeys(words, PRESENT) for words in found.positive]
    lists = [value for value in values if isinstance(value, list) and value]
    is_wide = names is not None and all(isinstance(value, list) for value in values)
    is_wide = is_wide and all(len(row) == len(names or ()) and all(mark in (1, 0, -1) for mark in row) for row in lists)
    if options["cells"] == "onehot":
        if names is None or not is_wide:
            raise DataError(f"{place}: cells=onehot needs class names, and 1, 0 or -1 for each of them in every row.")
        return [{name.strip(): MARKS[mark] for name, mark in zip(names, row, strict=False)} for row in values]
    if is_wide and any(len({*row}) < len(row) or row == [1, 0] for row in lists):
        raise DataError(
            f"{place}: labels {str(lists[0])[:80]}: a 1 or 0 for each class name, not positions.",
            hint="Read them so with --option cells=onehot",
        )
    return [
        dict.fromkeys(_labels(value, names, place=f"{place}: row {number}"), PRESENT)
        for number, value in enumerate(values)
    ]


def _labels(value: Any, names: list[str] | None, *, place: str) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if names is None and all(isinstance(word, str) and word.strip() for word in values):
        return [word.strip() for word in values]
    if names is not None and all(isinstance(word, int) and 0 <= word < len(names) for word in values):
        return [names[word].strip() for word in values]
    raise DataError(
        f"{place}: labels {str(value)[:80]}, expected "
        + ("a list of words." if names is None else f"positions from 0 to {len(names) - 1}."),
        hint="Numbers need class names: cast the column to List(ClassLabel(names=[...])) and export it again.",
    )


def _photo(value: Any, *, numbered: str, folder: str, taken: set[str], place: str) -> tuple[str, bytes | None]:
    """Return a photo's path, and its bytes where the row holds them; then called as the row says, if it can be."""
    if isinstance(value, str) and value:
        return value, None
    if not isinstance(value, dict) or not (value.get("bytes") or value.get("path")):
        raise DataError(f"{place}: no photo, but {str(value)[:60]}.", hint="Take the row out, or export it again.")
    if not value.get("bytes"):
        return str(value["path"]), None
    data: bytes = value["bytes"]
    ending = next((ending for mark, ending in KINDS.items() if data.startswith(mark)), None)
    if ending is None:
        raise DataError(f"{place}: the photo starts with {data[:8]!r}: neither JPEG, PNG, GIF, WebP, BMP nor TIFF.")
    name = f"{folder}/{Path(value.get('path') or numbered).stem}{ending}"
    name = f"{folder}/{numbered}{ending}" if name in taken else name
    taken.add(name)
    return name, data


FORM = Form("parquet", "Hugging Face Parquet: List(ClassLabel) and photos", fits, read, OPTIONS)
