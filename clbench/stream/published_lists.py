"""Id lists that come with papers, as their authors publish them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import DataError, UsageError, suggest
from clbench.files.given import LARGEST_ANY, LARGEST_TEXT, open_given, read_given
from clbench.files.user_folders import existing

Lists = tuple[list[list[str]], list[list[str]]]


@dataclass(frozen=True)
class Published:
    """Id lists that come with a paper.

    `folder` names the data folder that `clbench data get` fills; `visits` is the order in which the published tasks
    arrive; `read(root, task, split)` returns the ids of one task, as the label table writes them.
    """

    folder: str
    visits: tuple[int, ...]
    read: Callable[[Path, int, str], list[str]]


def read_lists(name: str, *, source: str, folder: Path | None) -> Lists:
    """Return the ids of each session's train images, and of the test images that arrive with it.

    `name` is a key of PUBLISHED or a folder with train-0.txt, test-0.txt and so on. `source` names the scenario in
    messages; `folder` holds published lists (None: where `clbench data get` puts them). Raises UsageError for an
    unknown name and DataError for files that are missing or damaged.
    """
    lists = PUBLISHED.get(name)
    if lists is None and Path(name).is_dir():
        return _own_lists(Path(name), source=source)
    if lists is None:
        raise UsageError(
            f"{source}: lists: {name!r} is not known.{suggest(name, PUBLISHED)}",
            hint=f"Known are {', '.join(PUBLISHED)}, or the path of a folder.",
        )
    root = folder or existing([lists.folder])
    if root is None:
        raise DataError(
            f"{source}: the id lists {name} are not on this machine.", hint=f"clbench data get {lists.folder}"
        )
    try:
        train, test = ([lists.read(root, task, split) for task in lists.visits] for split in ("train", "test"))
    except FileNotFoundError as error:
        raise DataError(
            f"{source}: {error.filename or root} is missing.", hint=f"clbench data get {lists.folder}"
        ) from error
    except (OSError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{source}: the id lists in {root} cannot be read: {error}.",
            hint=f"Remove the folder, then: clbench data get {lists.folder}",
        ) from error
    return train, test


def _prs(
    stream: str, suffix: str, *, test: str, name: Callable[[int, str], str]
) -> Callable[[Path, int, str], list[str]]:
    """PRS (Kim et al., ECCV 2020): one JSON list of numbers per task; `test` or `teorg` are its two test sets."""

    def read(root: Path, task: int, split: str) -> list[str]:
        part = test if split == "test" else "train"
        # as `clbench data get` lays them out, or a checkout of the authors' repository
        below = [folder for folder in ("", "data_source", "dataset/data_source") if (root / folder / stream).is_dir()]
        folder = root / "".join(below[:1]) / stream / "ids"
        numbers = json.loads(read_given(folder / f"{part}_task{task}_id_{suffix}.json", largest=LARGEST_TEXT))
        return [name(int(number), split) for number in numbers]

    return read


def _agcn(root: Path, task: int, split: str) -> list[str]:
    """AGCN (Du et al., ICME 2022): csv files, file name first, in a zip file or unpacked; test files are cumulative."""
    inner = f"Split-COCO/task{task}/{split}.csv"
    if (root / inner).is_file():
        text = read_given(root / inner, largest=LARGEST_TEXT).decode()
    else:
        with open_given(root / "Split-COCO.zip", largest=LARGEST_ANY) as file, zipfile.ZipFile(file) as archive:
            if archive.getinfo(inner).file_size > LARGEST_TEXT:
                raise ValueError(f"{inner} is larger than any list")
            text = archive.read(inner).decode()
    return [row[0].removesuffix(".jpg").rsplit("_", 1)[1] for row in csv.reader(io.StringIO(text)) if row]


def _coco(number: int, split: str) -> str:
    return f"{number:012d}"


def _nuswide(number: int, split: str) -> str:
    return f"{split}-{number:06d}"


def _own_lists(root: Path, *, source: str) -> Lists:
    """Read train-0.txt, test-0.txt, train-1.txt, ...: one id per line; test images arrive with their session."""
    count = len(list(root.glob("train-*.txt")))
    if count == 0:
        raise DataError(
            f"{source}: lists: {root} has no train-0.txt.",
            hint="Write train-0.txt, test-0.txt, train-1.txt, ... with one image id per line.",
        )
    result: Lists = ([], [])
    for lists, split in zip(result, ("train", "test"), strict=True):
        for index in range(count):
            file = root / f"{split}-{index}.txt"
            try:
                lists.append(
                    [
                        line.strip()
                        for line in read_given(file, largest=LARGEST_TEXT).decode().splitlines()
                        if line.strip()
                    ]
                )
            except (OSError, UnicodeDecodeError) as error:
                raise DataError(f"{source}: lists: {file} cannot be read.") from error
    return result


_COCOSEQ = (0, 3, 1, 2)
_NUSWIDESEQ = (3, 1, 0, 5, 4, 2)
PUBLISHED = {
    "prs:cocoseq": Published("prs-lists", _COCOSEQ, _prs("COCOseq", "coco", test="test", name=_coco)),
    "prs:cocoseq/natural": Published("prs-lists", _COCOSEQ, _prs("COCOseq", "coco", test="teorg", name=_coco)),
    "prs:nuswideseq": Published("prs-lists", _NUSWIDESEQ, _prs("NUSWIDEseq", "nuswide", test="test", name=_nuswide)),
    "prs:nuswideseq/natural": Published(
        "prs-lists", _NUSWIDESEQ, _prs("NUSWIDEseq", "nuswide", test="teorg", name=_nuswide)
    ),
    "agcn:split-coco": Published("agcn-lists", tuple(range(10)), _agcn),
}
