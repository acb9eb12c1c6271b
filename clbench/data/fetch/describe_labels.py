"""What can be said of a table's labels: names, counts, images without any, names that look like slips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clbench.data.fetch.check_report import Report
from clbench.data.own_table.label_names import Remark, doubtful, odd
from clbench.data.table import LabelTable

STEP = 4096
"""Images whose labels are looked at together."""
SHOWN = 40
"""So many labels are all listed; of more, the first and the rarest."""


def label_counts(table: LabelTable) -> list[tuple[str, int, int]]:
    """Return (label, positive train images, positive test images) in table order."""
    counts = [table.positives(split).tolist() for split in ("train", "test")]
    return list(zip(table.labels, *counts, strict=True))


def label_lines(table: LabelTable) -> list[tuple[str, str]]:
    """Return (what is listed, the labels with their train and test counts) for people: all up to 40, else the first and
    the rarest 20.
    """
    counts = label_counts(table)
    if len(counts) <= SHOWN:
        return [("labels (train + test images)", _listed(counts))]
    half = SHOWN // 2
    rarest = sorted(counts, key=lambda one: one[1] + one[2])[:half]
    return [(f"the first {half} labels (train + test images)", _listed(counts[:half])), ("the rarest", _listed(rarest))]


def summary(table: LabelTable) -> list[str]:
    """Return sentences on images without a label and on entries that are not known."""
    said = []
    for split in ("train", "test"):
        rows = np.flatnonzero(table.split == split)
        bare = unknown = 0
        for first in range(0, len(rows), STEP):
            y = table.y[rows[first : first + STEP]]
            bare += int((~(y == 1).any(axis=1)).sum())
            unknown += int((y == -1).sum())
        if bare:
            said.append(f"{bare:,} of {len(rows):,} {split} images have no label")
        if unknown:
            size = len(rows) * len(table.labels)
            said.append(f"{size - unknown:,} of {size:,} {split} entries are known, {unknown:,} are not")
    return said


def head(table: LabelTable) -> str:
    """Return how many images and labels there are."""
    images = [int((table.split == split).sum()) for split in ("train", "test")]
    return f"{images[0]:,} train and {images[1]:,} test images, {len(table.labels)} labels"


def remarks(table: LabelTable) -> list[Remark]:
    """Return how the table was read and what is odd about its label names; for tables of the user's."""
    said = [Remark(note, ()) for note in table.notes]
    found = [*doubtful(table.labels), *odd(table.labels)]
    return said + [Remark(f"{len(one.names)} {one.text}", one.names) for one in found]


def describe_labels(table: LabelTable, *, report: Report, own: bool) -> None:
    """Put everything into the report; remarks only with `own`, for a table of the user's."""
    report.fine(head(table))
    for what, listed in label_lines(table):
        report.fine(f"{what}: {listed}")
    for sentence in summary(table):
        report.fine(sentence)
    for remark in remarks(table) if own else []:
        report.warn(remark.text, items=remark.names)


def _listed(counts: Sequence[tuple[str, int, int]]) -> str:
    return ", ".join(f"{label} {train:,}+{test:,}" for label, train, test in counts)
