"""Open Images V7: nine million images, twenty thousand labels, and of each image some ten that a person has looked at.

The official tables of image-level labels are read (ImageID, Source, LabelName, Confidence): confidence 1 is present, 0
verified absent, and what is not listed is unknown. Two people who differ leave a label unknown. The tables are read
once; what they say is kept in the cache as lists (`clbench.data.sparse`).
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from clbench.data.datasets.dataset import Option, resolve_options, revision
from clbench.data.features.feature_file import BUFFER, LANES, check_rows, find_features
from clbench.data.pictures.photo_files import file_names
from clbench.data.sparse.chosen_labels import chosen_labels
from clbench.data.sparse.files import write_csr
from clbench.data.sparse.labels import Entries
from clbench.data.sparse.open_folder import open_csr
from clbench.data.sparse.table import SparseTable
from clbench.data.sparse.texts import NumberTexts, SidedTexts
from clbench.data.table import SPLITS, LabelTable, check_labels
from clbench.errors import DataError, ResultsError
from clbench.files.given import LARGEST_ANY, open_given
from clbench.files.user_folders import cache_folder

log = logging.getLogger(__name__)

VERSION = 1
BLOCK = 16 << 20
HEADER = b"ImageID,Source,LabelName,Confidence"
DESCRIPTIONS = "oidv7-class-descriptions.csv"
TABLES = {part: f"oidv7-{part}-annotations-human-imagelabels.csv" for part in ("train", "val", "test")}
DIGITS = 16
_ABSENT = "The photos have folders of their own: train, test. Keep those that are there: --option missing=1"

OPTIONS = (
    Option("val", "drop", "where images of the validation set go", ("drop", "train", "test")),
    Option("most_frequent", "0", "so many labels with the most positive train images (0: all)", kind="count"),
    Option("labels", "", "only these labels, separated by ';' (empty: all)", kind="text"),
    Option("min_train_positives", "1", "only labels with at least so many positive train images", kind="count"),
    Option("min_test_positives", "1", "only labels with at least so many positive test images", kind="count"),
    Option("missing", "0", "largest share of photos that may be absent; they leave the table", kind="fraction"),
    BUFFER,
    LANES,
    Option(
        "features", "", "file of features in place of photos: a row for each image, train first, by id", kind="text"
    ),
)


def read(root: Path, *, name: str, options: Mapping[str, str], photos: bool = True) -> LabelTable:
    """Return the table of Open Images below `root`: train images first, each split in the order of its ids.

    Raises DataError naming the file and line of what cannot be read, and, with `photos`, when more photos are absent
    than the option `missing` allows.
    """
    values = resolve_options(name, OPTIONS, options)
    table = _kept(root, name=name, val=values["val"])
    ids: Any = table.ids
    test = table.split == "test"
    if values["features"]:
        check_rows(find_features(root, values["features"], name=name), rows=len(test), table="the table", name=name)
        table = table.with_paths(NumberTexts(np.arange(len(test), dtype=np.uint64), len(str(len(test)))))
    else:
        table = table.with_paths(SidedTexts(ids.numbers, DIGITS, 16, test, ("train/", "test/"), ".jpg"))
        if photos:
            table = _there(table, root=root, values=values)
    named = revision(
        name, [one for one in OPTIONS if one.name not in ("features", "buffer", "lanes", "missing")], values
    )
    return chosen_labels(table, values=values, revision=named)


def _there(table: SparseTable, *, root: Path, values: Mapping[str, str]) -> SparseTable:
    """Return the table with the images whose photos are there."""
    ids: Any = table.ids
    have = np.zeros(len(table), dtype=np.bool_)
    for side in SPLITS:
        mine = table.split == side
        have[mine] = np.isin(ids.numbers[mine], _numbers(file_names(root / side)))
    gone = int((~have).sum())
    if gone > float(values["missing"]) * len(table) or not have.any():
        first = table.paths[int(np.argmin(have))]
        raise DataError(
            f"{table.name}: {gone:,} of {len(table):,} photos are not in {root}, first {first}.", hint=_ABSENT
        )
    return table.with_rows(np.flatnonzero(have)) if gone else table


def _numbers(names: set[str]) -> npt.NDArray[np.uint64]:
    stems = [name[:DIGITS] for name in names if len(name) == DIGITS + 4 and name.endswith(".jpg")]
    return np.array([int(stem, 16) for stem in stems if all(digit in "0123456789abcdef" for digit in stem)], np.uint64)


def _kept(root: Path, *, name: str, val: str) -> SparseTable:
    """Return the whole table from the cache, where it is put when its files are new or have changed."""
    files = [root / DESCRIPTIONS, *(root / TABLES[part] for part in TABLES if part != "val" or val != "drop")]
    for file in files:
        if not file.is_file():
            raise DataError(f"{name}: {file} is not there.", hint=f"clbench data get {name}")
    stats = [(file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ctime_ns) for file in files]
    key = hashlib.sha256(f"{VERSION} {root.resolve()} {val} {stats}".encode()).hexdigest()[:24]
    kept = cache_folder() / "tables" / f"{name}-{key}.csr"
    if kept.is_dir():
        try:
            return open_csr(kept, name=name)
        except DataError as error:
            log.info("the table kept in %s is damaged and will be made again: %s", kept, error)
            shutil.rmtree(kept)
    labels, code = _labels(files[0], name=name)
    check_labels(f"{name}: {files[0]}", tuple(labels))
    parts = {part: _part(root / TABLES[part], code, name=name) for part in TABLES if part != "val" or val != "drop"}
    sides = {"train": ["train", *(["val"] if val == "train" else [])], "test": ["test", *(["val"] * (val == "test"))]}
    arrays = [_lists(*(np.concatenate([parts[one][at] for one in side]) for at in range(3))) for side in sides.values()]
    (train_ids, *_), (test_ids, *_) = arrays
    both = np.intersect1d(train_ids, test_ids)
    if len(both):
        raise DataError(f"{name}: image {int(both[0]):016x} is in train and in test.", hint=f"clbench data get {name}")
    counts = np.concatenate([found[1] for found in arrays])
    entries = Entries(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([found[2] for found in arrays]),
        np.concatenate([found[3] for found in arrays]),
        len(labels),
        unlisted=-1,
    )
    test = np.arange(len(counts)) >= len(train_ids)
    ids = np.concatenate([train_ids, test_ids])
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_csr(kept, labels=labels, entries=entries, test=test, ids=ids, digits=DIGITS, base=16)
    except OSError as error:
        raise ResultsError(
            f"{kept}: the table of {name} cannot be written ({error.strerror or error}).",
            hint="Make room or write access there, or name another folder with CLBENCH_CACHE.",
        ) from error
    return open_csr(kept, name=name)


def _labels(path: Path, *, name: str) -> tuple[list[str], dict[bytes, int]]:
    """Return the labels in the order of their codes, and each code's place; equal names have their code behind them."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{name}: {path} cannot be read: {error}.", hint=f"clbench data get {name}") from error
    rows = rows[1:] if rows and rows[0][:1] == ["LabelName"] else rows
    for line, row in enumerate(rows, 1):
        if len(row) != 2 or not row[0].startswith("/") or not row[1].strip():
            raise DataError(
                f"{name}: {path}: {row} after line {line}: expected a code such as /m/01g317 and a name.",
                hint=f"clbench data get {name}",
            )
    pairs = sorted({(row[0], " ".join(row[1].split())) for row in rows})
    for (code, one), (other, two) in pairwise(pairs):
        if code == other:
            raise DataError(
                f"{name}: {path}: the code {code} has two names, {one!r} and {two!r}.", hint=f"clbench data get {name}"
            )
    found = dict(pairs)
    times = Counter(found.values())
    labels = [text if times[text] == 1 else f"{text} ({code})" for code, text in found.items()]
    return labels, {code.encode(): place for place, code in enumerate(found)}


def _part(path: Path, code: dict[bytes, int], *, name: str) -> list[npt.NDArray[Any]]:
    """Return (image, label, mark) of every line of a table."""
    blocks = list(_blocks(path, code, name=name))
    if not blocks:
        raise DataError(f"{name}: {path} has no lines after its header.", hint=f"clbench data get {name}")
    return [np.concatenate(found) for found in zip(*blocks, strict=True)]


def _blocks(path: Path, code: dict[bytes, int], *, name: str) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    try:
        opened = open_given(path, largest=LARGEST_ANY)
    except OSError as error:
        raise DataError(
            f"{name}: {path} cannot be read ({error.strerror}).", hint=f"clbench data get {name}"
        ) from error
    with opened as file:
        header = file.readline().removeprefix(codecs.BOM_UTF8).rstrip().replace(b'"', b"")
        if header != HEADER:
            told = header[:60].decode(errors="replace")
            raise DataError(
                f"{name}: {path} begins with {told!r}, expected {HEADER.decode()}.", hint=f"clbench data get {name}"
            )
        line = 2
        while block := file.read(BLOCK):
            block += file.readline()
            if not block.endswith(b"\n"):
                raise DataError(f"{name}: {path} is cut: its last line has no end.", hint=f"clbench data get {name}")
            yield _parsed(block.replace(b"\r\n", b"\n"), code, where=f"{name}: {path}", line=line)
            line += block.count(b"\n")


def _parsed(block: bytes, code: dict[bytes, int], *, where: str, line: int) -> tuple[npt.NDArray[Any], ...]:
    """Return (image uint64, label int32, mark int8) of the lines of a block."""
    if b'"' in block or b"\0" in block or b".0\n" in block:
        block = _plain(block, where=where, line=line)
    raw = np.frombuffer(block, dtype=np.uint8)
    marks = np.flatnonzero((raw == ord(",")) | (raw == ord("\n")))
    ends = np.flatnonzero(raw == ord("\n"))
    if len(marks) != 4 * len(ends) or not (marks[3::4] == ends).all():
        _refuse(block, where=where, line=line)
    first, second, third, end = marks.reshape(-1, 4).T
    starts = np.concatenate([[0], ends[:-1] + 1])
    digits = _HEX[raw[starts[:, None] + np.arange(DIGITS)]] if (first - starts == DIGITS).all() else np.array([[16]])
    confidence = raw[third + 1]
    wrong = (digits > 15).any() or not (end - third == 2).all() or not np.isin(confidence, (48, 49)).all()
    if wrong or (third - second == 1).any():
        _refuse(block, where=where, line=line)
    image = np.zeros(len(ends), dtype=np.uint64)
    for place in range(DIGITS):
        image = image << np.uint64(4) | digits[:, place].astype(np.uint64)
    width = int((third - second).max()) - 1
    text = np.zeros((len(ends), width), dtype=np.uint8)
    for place in range(width):
        inside = second + 1 + place < third
        text[inside, place] = raw[(second + 1 + place)[inside]]
    words, which = np.unique(text.view(f"S{width}").reshape(-1), return_inverse=True)
    places = np.array([code.get(word, -1) for word in words.tolist()], dtype=np.int32)[which]
    if (places < 0).any():
        row = int(np.argmin(places))
        word = words[which[row]].decode(errors="replace")
        raise DataError(
            f"{where}, line {line + row:,}: label {word!r} is not in {DESCRIPTIONS}.",
            hint="Both files have to be of one release.",
        )
    return image, places, (confidence - 48).astype(np.int8)


_HEX = np.full(256, 16, dtype=np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)


def _plain(block: bytes, *, where: str, line: int) -> bytes:
    """Return a block's lines as the official files have them: without quotes, and with 1 and 0 in place of 1.0 and 0.0.

    What stands in place of a source is left out, for it may hold commas. Raises DataError for a line that is none.
    """
    lines = block.split(b"\n")[:-1]
    for number, row in enumerate(lines):
        try:
            (cells,) = csv.reader([row.decode()], strict=True)
        except (UnicodeDecodeError, csv.Error, ValueError):
            cells = []
        if len(cells) != 4 or "\0" in cells[2]:
            _refuse(row + b"\n", where=where, line=line + number)
        sure = {"1.0": "1", "0.0": "0"}.get(cells[3], cells[3])
        lines[number] = ",".join([cells[0], "", cells[2], sure]).encode()
    return b"\n".join([*lines, b""])


def _refuse(block: bytes, *, where: str, line: int) -> NoReturn:
    """Raise DataError for the first line that is none of the table's, or for the only one."""
    rows = block.split(b"\n")[:-1]
    number, row = next((one for one in enumerate(rows) if not _fits(one[1])), (0, rows[0]))
    cells = row.split(b",")
    guessed = len(cells) == 4 and _fits(b",".join([*cells[:3], b"1"]))
    raise DataError(
        f"{where}, line {line + number:,}: {row[:80].decode(errors='replace')!r}, expected an id of 16 hexadecimal "
        "digits, a source, a label and 1 or 0.",
        hint="What machines guessed has other confidences; clbench data import reads it with a threshold."
        if guessed
        else "Fetch the official file again; a line that is empty is none of its either.",
    )


def _fits(row: bytes) -> bool:
    cells = row.split(b",")
    digits = _HEX[np.frombuffer(cells[0], dtype=np.uint8)]
    return (
        len(digits) == DIGITS
        and bool((digits < 16).all())
        and len(cells) == 4
        and cells[3] in (b"0", b"1")
        and bool(cells[2])
    )


def _lists(
    image: npt.NDArray[np.uint64], label: npt.NDArray[np.int32], mark: npt.NDArray[np.int8]
) -> tuple[npt.NDArray[Any], ...]:
    """Return (ids, entries of each, labels, marks): by id, then by label; where lines differ the label is unknown."""
    order = np.lexsort((mark, label, image))
    image, label, mark = image[order], label[order], mark[order]
    last = np.ones(len(image), dtype=np.bool_)
    last[:-1] = (image[1:] != image[:-1]) | (label[1:] != label[:-1])
    begins = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    # marks rise within a label: it is decided where the first is the last
    mark = np.where(mark[begins] == mark[last], mark[last], -1).astype(np.int8)
    ids, counts = np.unique(image[last], return_counts=True)
    return ids, counts, label[last], mark
