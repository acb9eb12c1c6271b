"""Label tables as a folder of mapped arrays, `NAME.csr`: labels as lists, ids as numbers or texts.

| file | holds |
|---|---|
| `about.json` | `labels` (in order), `unlisted` (`absent`, `unknown`), where ids are numbers `digits` and `base` |
| `starts.npy` | int64 [n + 1]: the entries of image i are those from `starts[i]` to `starts[i + 1]` |
| `columns.npy` | int32 [entries]: places in `labels`, rising for each image |
| `marks.npy` | int8 [entries]: 1 present, 0 absent, -1 unknown; left out where every entry is present |
| `test.npy` | bool [n]: which images are for testing |
| `ids.npy` | [n] whole numbers, or texts; left out where they count from 0 |

`write_csr` puts a checksum of each file into `checks` of `about.json`; in a folder made by hand they may be left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace as replaced

from clbench.data.datasets.dataset import Option, resolve_options
from clbench.data.features.feature_file import BUFFER, LANES, check_rows, find_features
from clbench.data.shards.shards import SHARDS, UNNAMED, find_shards, refuse_absent_from, refuse_unnamed
from clbench.data.sparse.chosen_labels import chosen_labels
from clbench.data.sparse.labels import Entries
from clbench.data.sparse.open_folder import UNLISTED, About, checksum, open_csr
from clbench.data.sparse.table import SparseTable, listed
from clbench.data.sparse.texts import NumberTexts, SidedTexts
from clbench.data.table import LabelTable, check_paths
from clbench.errors import DataError, UsageError
from clbench.files.whole_file import move

ENDING = ".csr"
OPTIONS = (
    Option("features", "", "file of features in place of photos, relative to the table", kind="text"),
    SHARDS,
    BUFFER,
    LANES,
    UNNAMED,
    Option(
        "paths",
        "{id}.jpg",
        "where a photo lies, or its name or key in the shards: text with {id} and perhaps {split} in it",
        kind="text",
    ),
    Option("labels", "", "only these labels, separated by ';' (empty: all)", kind="text"),
    Option("min_train_positives", "0", "only labels with at least so many positive train images", kind="count"),
    Option("min_test_positives", "0", "only labels with at least so many positive test images", kind="count"),
)
_NOT_CONTENT = ("features", "paths", "buffer", "lanes", "shards", "unnamed")


def is_csr(path: Path) -> bool:
    """Say whether a path is such a folder."""
    return path.suffix == ENDING and path.is_dir()


def write_csr(
    folder: Path,
    *,
    labels: Sequence[str],
    entries: Entries,
    test: npt.NDArray[np.bool_],
    ids: npt.NDArray[Any] | None = None,
    digits: int = 0,
    base: int = 10,
) -> None:
    """Write a table into the folder `NAME.csr`, which appears when it is complete.

    `ids` [n] are whole numbers, written with `digits` digits in `base` 10 or 16 where they are read, or texts; without
    them images count from 0. `test` is [n]. Raises UsageError for a folder of another name or one that is there, and
    DataError as `read_csr` does.
    """
    if folder.suffix != ENDING or folder.exists():
        what = "is there already" if folder.exists() else f"is no name that ends in {ENDING}"
        raise UsageError(f"{folder}: {what}.", hint="Name another folder.")
    numbers = ids is None or np.asarray(ids).dtype.kind in "iu"
    most = len(test) - 1 if ids is None else int(np.max(ids, initial=0)) if numbers else 0
    unlisted = next(word for word, mark in UNLISTED.items() if mark == entries.unlisted)
    needed = len(f"{most:x}" if base == 16 else str(most))
    about = About(list(labels), unlisted, max(digits, needed, 8 if ids is None else 1) if numbers else 0, base)
    arrays: dict[str, Any] = {
        "starts": entries.starts,
        "columns": entries.columns,
        "marks": entries.marks,
        "test": test,
        "ids": ids,
    }
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        checks = {"about": zlib.crc32(msgspec.json.encode(about))}
        for name, array in arrays.items():
            if array is not None:
                np.save(partial / f"{name}.npy", array, allow_pickle=False)
                checks[name] = checksum(partial / f"{name}.npy")
        (partial / "about.json").write_bytes(msgspec.json.encode(replaced(about, checks=checks)))
        open_csr(partial, name=folder.stem)
        move(partial, folder)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(partial, ignore_errors=True)


def write_table(folder: Path, table: LabelTable, *, unlisted: str = "absent") -> None:
    """Write a dense table as a `.csr` folder. Raises DataError for one with pools beyond its positives."""
    if not np.array_equal(table.member, table.y == 1):
        raise DataError(f"{table.name}: crowds are members of pools without being positive, which lists do not hold.")
    write_csr(
        folder,
        labels=table.labels,
        entries=listed(table.y, unlisted=UNLISTED[unlisted]),
        test=table.split == "test",
        ids=np.asarray(table.ids),
    )


def read_csr(folder: Path, *, root: Path, options: Mapping[str, str]) -> SparseTable:
    """Return the table in a `.csr` folder; photos or features lie below `root`.

    Raises DataError as `open_csr` does, and for a label that is never known in test; UsageError for an unknown option
    or label.
    """
    values = resolve_options(folder.stem, OPTIONS, options)
    table = open_csr(folder)
    name, ids = table.name, cast("NumberTexts | npt.NDArray[np.str_]", table.ids)
    changed = (one.name for one in OPTIONS if values[one.name] != one.default and one.name not in _NOT_CONTENT)
    words = [name, *(f"{key}={values[key]}" for key in changed)]
    if values["features"] and (folder / "ids.npy").exists():
        # a table's digest leaves rows of features out; here the ids do not tell whose are whose
        words.append(f"files={hashlib.sha256((folder / 'ids.npy').read_bytes()).hexdigest()[:12]}")
    table = table.with_paths(_paths(values, ids=ids, test=table.split == "test", root=root, name=name))
    return chosen_labels(table, values=values, revision=" ".join(words))


def _paths(
    values: Mapping[str, str],
    *,
    ids: NumberTexts | npt.NDArray[np.str_],
    test: npt.NDArray[np.bool_],
    root: Path,
    name: str,
) -> NumberTexts | SidedTexts | npt.NDArray[np.str_]:
    """Return the rows of the features, or where photos lie."""
    count = len(test)
    if values["features"] and values["shards"]:
        raise UsageError(f"{name}: options features and shards: a row has one or the other.")
    if values["features"]:
        check_rows(find_features(root, values["features"], name=name), rows=count, table="the table", name=name)
        return NumberTexts(np.arange(count, dtype=np.uint64), len(str(count)))
    before, found, after = values["paths"].partition("{id}")
    if not found or "{split}" in after:
        raise UsageError(f"{name}: option paths is '{values['paths']}', expected {{id}} in it, {{split}} only before.")
    sides = before.replace("{split}", "train"), before.replace("{split}", "test")
    if isinstance(ids, NumberTexts) and not values["shards"]:
        check_paths(name, np.array([f"{side}0{after}" for side in sides]))
        return SidedTexts(ids.numbers, ids.width, ids.base, test, sides, after)
    files = [f"{sides[side]}{one}{after}" for one, side in zip(ids.tolist(), test.tolist(), strict=True)]
    if not values["shards"]:
        check_paths(name, np.array(files))
        return np.array(files)
    shards = find_shards(root, values["shards"], name=name)
    rows = shards.rows_of(files)
    if (rows < 0).any():
        refuse_absent_from(shards, [files[row] for row in np.flatnonzero(rows < 0).tolist()], count=count, name=name)
    if values["unnamed"] == "refuse":
        refuse_unnamed(shards, files, name=name)
    return NumberTexts(rows.astype(np.uint64), len(str(len(shards))))
