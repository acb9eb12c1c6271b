"""Which columns of somebody's CSV name the photo and the split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from clbench.data.importers.export import split_of
from clbench.data.importers.source import Rows, Source
from clbench.errors import DataError

FILES = (
    "file", "filename", "filenames", "file_name", "filepath", "file_path", "path", "image", "images", "img",
    "image_path", "img_path", "image_file", "image_name", "image_id", "imageid", "image_index",
    "fname", "photo", "picture",
)  # fmt: skip
FLAGS = {
    "is_train": ("train", "test"), "is_test": ("test", "train"),
    "is_valid": ("val", "train"), "is_val": ("val", "train"),
}  # fmt: skip
"""Columns that say yes or no, as fastai's is_valid, and the split for either."""
SPLITS = ("split", "set", "subset", "partition", *FLAGS)
CODES = {"0": "train", "1": "val", "2": "test"}  # CelebA's list_eval_partition
YES, NO = ("1", "true", "1.0", "yes"), ("0", "false", "0.0", "no")


def tables(source: Source) -> list[str]:
    """Return the CSV and TSV files, without Kaggle's sample_submission.csv, whose labels are nobody's."""
    return [file for file in source.ending(".csv", ".tsv") if "submission" not in PurePosixPath(file).stem.lower()]


def file_column(header: Sequence[str]) -> int | None:
    """Return the column that names the photos: the first of the usual names that the header has."""
    return _column(header, FILES)


def split_column(header: Sequence[str]) -> int | None:
    """Return the column that names the split, if there is one."""
    return _column(header, SPLITS)


def splits_in_words(source: Source, file: str, rows: Rows, column: int | None) -> dict[int, str]:
    """Return the split of each line; 0, 1 and 2 are train, val and test. Raises DataError for another word."""
    found = {}
    flag = FLAGS.get(_plain(source.header(file)[column])) if column is not None else None
    for line, cells in rows if column is not None else []:
        word = cells[column or 0]
        if flag:
            found[line] = flag[0] if word.lower() in YES else flag[1] if word.lower() in NO else ""
        else:
            found[line] = CODES.get(word) or split_of(word)
        if not found[line]:
            raise DataError(
                f"{source.place(file, line)}: split {word!r}, expected "
                + ("yes or no." if flag else "train, val or test."),
                hint="Mend the cell.",
            )
    return found


def listed_partition(source: Source) -> dict[str, str]:
    """Return the split of each photo in CelebA's list_eval_partition, .txt or .csv, where the source has it."""
    found: dict[str, str] = {}
    for file in source.files:
        if PurePosixPath(file).stem != "list_eval_partition":
            continue
        for number, line in enumerate(source.text(file).splitlines(), 1):
            words = line.replace(",", " ").split()
            if number == 1 and words[-1:] == ["partition"]:
                continue
            if words and (len(words) != 2 or words[1] not in CODES):
                raise DataError(
                    f"{source.place(file, number)}: {line[:60]!r}, expected a photo and 0, 1 or 2.",
                    hint="Mend the line.",
                )
            found.update([(words[0], CODES[words[1]])] if words else [])
    return found


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    plain = [_plain(name) for name in header]
    return next((plain.index(name) for name in names if name in plain), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
