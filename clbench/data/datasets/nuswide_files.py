"""The official text files of NUS-WIDE, and the split file of the asymmetric loss."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.text import read_text
from clbench.errors import DataError, suggest
from clbench.files.given import LARGEST_TABLE, read_given

_CONCEPTS = """
airport animal beach bear birds boats book bridge buildings cars castle cat cityscape clouds computer coral cow dancing
dog earthquake elk fire fish flags flowers food fox frost garden glacier grass harbor horses house lake leaf map
military moon mountain nighttime ocean person plane plants police protest railroad rainbow reflection road rocks running
sand sign sky snow soccer sports statue street sun sunset surf swimmers tattoo temple tiger tower town toy train tree
valley vehicle water waterfall wedding whales window zebra
"""
CONCEPTS = tuple(_CONCEPTS.split())
# the one damaged entry of the official release: neither 0 nor 1, so it is unknown
DAMAGED = {("lake", "Train", 78_372): "-1130179"}

LISTS = ("ImageList", "ImageList/ImageList", "NUS-WIDE/ImageList", ".")
LABELS = (
    "Groundtruth/TrainTestLabels",
    "TrainTestLabels",
    "Groundtruth/Groundtruth/TrainTestLabels",
    "NUS-WIDE/Groundtruth/TrainTestLabels",
)


def list_files(root: Path, *, name: str) -> list[Path]:
    """Return the paths of the two image lists and the 162 label files. Raises DataError where one is missing."""
    lists = _folder(root, LISTS, "TrainImagelist.txt", name=name, get="nuswide-official")
    labels = _folder(root, LABELS, "Labels_airport_Train.txt", name=name, get="nuswide-official")
    files = [lists / f"{part}Imagelist.txt" for part in ("Train", "Test")]
    return files + [labels / f"Labels_{label}_{part}.txt" for part in ("Train", "Test") for label in CONCEPTS]


def split_file(root: Path) -> Path:
    """Return the path of the split file of the asymmetric loss."""
    return root / "nus_wid_data.csv"


def image_list(root: Path, *, part: str, name: str) -> list[str]:
    """Return the photos of the official "Train" or "Test" list, in its order: "actor/0001_2124494179.jpg".

    Raises DataError for an empty list, or an entry of another form.
    """
    path = _folder(root, LISTS, "TrainImagelist.txt", name=name, get="nuswide-official") / f"{part}Imagelist.txt"
    lines = [line.strip().replace("\\", "/") for line in read_text(path, name=name).splitlines()]
    photos = [line for line in lines if line]
    for number, photo in enumerate(photos, start=1):
        if not photo.lower().endswith(".jpg") or "_" not in photo:
            raise DataError(f"{name}: {path}, entry {number}: {photo!r}, expected folder\\0001_2124494179.jpg.")
    if not photos:
        raise DataError(f"{name}: {path} is empty.", hint="clbench data get nuswide-official")
    return photos


def read_labels(root: Path, *, part: str, count: int, name: str) -> npt.NDArray[np.int8]:
    """Return int8 [count, 81]: the labels of the official "Train" or "Test" list, row by row.

    Raises DataError for a file that is missing or has another number of entries.
    """
    folder = _folder(root, LABELS, "Labels_airport_Train.txt", name=name, get="nuswide-official")
    y = np.empty((count, len(CONCEPTS)), dtype=np.int8)
    for column, label in enumerate(CONCEPTS):
        path = folder / f"Labels_{label}_{part}.txt"
        try:
            data = read_given(path, largest=LARGEST_TABLE)
        except OSError as error:
            raise DataError(
                f"{name}: {path} cannot be read ({error.strerror}).", hint="clbench data get nuswide-official"
            ) from error
        values = label_column(data, damaged=_damaged(label, part), path=path, name=name)
        if len(values) != count:
            raise DataError(f"{name}: {path} has {len(values):,} entries, {part}Imagelist.txt has {count:,}.")
        y[:, column] = values
    return y


def label_column(data: bytes, *, damaged: dict[int, str], path: Path, name: str) -> npt.NDArray[np.int8]:
    """Return the 0s and 1s of a label file; an entry that `damaged` names by line and text is -1, unknown.

    int8 [images]. Raises DataError for any other entry.
    """
    codes = np.frombuffer(data, dtype=np.uint8)
    digits = np.flatnonzero((codes == ord("0")) | (codes == ord("1")))
    blanks = np.isin(codes, np.frombuffer(b" \t\r\n", dtype=np.uint8)).sum()
    if len(digits) + int(blanks) == len(codes) and (np.diff(digits) > 1).all():
        return codes[digits].astype(np.int8) - np.int8(ord("0"))
    values = []
    for number, word in enumerate(data.split(), start=1):
        if word in (b"0", b"1"):
            values.append(int(word))
        elif damaged.get(number, "").encode() == word:
            values.append(-1)
        else:
            raise DataError(
                f"{name}: {path}, entry {number}: {word[:40].decode('utf-8', 'replace')!r}, expected 0 or 1."
            )
    return np.array(values, dtype=np.int8)


def read_split_file(path: Path, *, name: str) -> tuple[list[str], npt.NDArray[np.int8], list[str]]:
    """Return paths, int8 [images, 81] and splits of the csv (file, "['clouds', 'sky']", train or val).

    Raises DataError naming the row that is not of that form.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path, name=name), newline="")))
    except csv.Error as error:
        raise DataError(f"{name}: {path} is not a readable csv: {error}.", hint=f"clbench data get {name}") from error
    if len(rows) < 2:
        raise DataError(f"{name}: {path} has no rows.", hint=f"clbench data get {name}")
    column = {label: index for index, label in enumerate(CONCEPTS)}
    paths, splits = [], []
    y = np.zeros((len(rows) - 1, len(CONCEPTS)), dtype=np.int8)
    for index, row in enumerate(rows[1:]):
        if len(row) < 3 or row[2].strip() not in ("train", "val"):
            raise DataError(f"{name}: {path}, row {index + 2}: {row!r}, expected file, labels and train or val.")
        paths.append(row[0].strip().replace("\\", "/"))
        splits.append("train" if row[2].strip() == "train" else "test")
        for label in (word.strip(" \t'\"") for word in row[1].strip().strip("[]").split(",")):
            if not label:
                continue
            if label not in column:
                raise DataError(
                    f"{name}: {path}, row {index + 2}: unknown concept {label!r}.{suggest(label, CONCEPTS)}"
                )
            y[index, column[label]] = 1
    return paths, y, splits


def _damaged(label: str, part: str) -> dict[int, str]:
    return {line: text for (where, half, line), text in DAMAGED.items() if (where, half) == (label, part)}


def _folder(root: Path, places: tuple[str, ...], file: str, *, name: str, get: str) -> Path:
    for place in places:
        if (root / place / file).is_file():
            return root / place
    raise DataError(
        f"{name}: {file} is in none of {', '.join(str(root / place) for place in places)}.",
        hint=f"clbench data get {get}",
    )
