"""libsvm's multi-label text: a table of features, labels as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from clbench.data.importers.export import PRESENT, Export, Form
from clbench.data.importers.feature_rows import number, row_entry, with_features
from clbench.data.importers.source import Source
from clbench.errors import DataError


def fits(source: Source) -> list[str]:
    """Return the files in libsvm's form, by their ending."""
    return source.ending(".svm", ".libsvm", ".svmlight")


def read(source: Source, files: list[str], options: Mapping[str, str]) -> Export:
    """Return the rows `1,3 1:0.5 4:2` of libsvm files: labels are numbers, features count from 1.

    Raises DataError naming the row.
    """
    export, lines = Export([], read=files), list[dict[int, float]]()
    for file in files:
        count = 0
        for line, text in enumerate(source.text(file).splitlines(), 1):
            text, place = text.partition("#")[0].rstrip(), source.place(file, line)
            if not text:
                continue
            head, *pairs = ["", *text.split()] if text[0].isspace() else text.split()
            entry = row_entry(file, count, place)
            words = [word for word in head.split(",") if word]
            if not all(re.fullmatch(r"-?\d+", word) for word in words):
                raise DataError(f"{place}: labels {head!r}, expected whole numbers with commas.")
            entry.marks = dict.fromkeys(words, PRESENT)
            lines.append(_pairs([pair for pair in pairs if pair and not pair.startswith("qid:")], place))
            export.entries.append(entry)
            count += 1
    first = min((index for pairs in lines for index in pairs), default=1)
    width = max((index for pairs in lines for index in pairs), default=0)
    offset = 0 if first == 0 else 1
    block = np.zeros((len(lines), width + 1 - offset), dtype=np.float32)
    for row, features in enumerate(lines):
        for index, value in features.items():
            block[row, index - offset] = value
    export.labels = sorted({word for entry in export.entries for word in entry.marks}, key=int)
    export.notes.append(f"features count from {offset}")
    return with_features(export, [block])


def _pairs(pairs: list[str], place: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for pair in pairs:
        index, colon, value = pair.partition(":")
        if not colon or not index.isdigit() or int(index) in found:
            raise DataError(f"{place}: {pair!r}, expected INDEX:VALUE, each index once.")
        found[int(index)] = number(value, place)
    return found


FORM = Form("libsvm", "libsvm multi-label text: a table of features", fits, read)
